import type { DiffLine } from "@/api/types";
import { createStore } from "@/lib/store";
import { type Comment, kept } from "../lib/persistent";

export type Side = Comment["side"];

/** The comment that is being written: a new one, or an old one anew. */
export interface Writing {
  path: string;
  side: Side;
  line: number;
  quote: string;
  /** The comment that is changed; nothing for a new one. */
  id: string | null;
  text: string;
}

/** Comments of one feature that are not sent yet, and the one that is being written. */
export function commentsOf(featureId: string) {
  const list = kept.comments(featureId);
  const writing = createStore<Writing | null>(null);
  return {
    list,
    writing,
    begin(path: string, side: Side, line: DiffLine) {
      const number = side === "old" ? line.oldLine : line.newLine;
      if (number === null) return;
      writing.set({ path, side, line: number, quote: line.text, id: null, text: "" });
    },
    edit(comment: Comment) {
      writing.set({ ...comment });
    },
    keep() {
      const now = writing.get();
      if (now === null) return;
      const text = now.text.trim();
      writing.set(null);
      if (text === "") return;
      const comment: Comment = {
        id: now.id ?? crypto.randomUUID(),
        path: now.path,
        side: now.side,
        line: now.line,
        quote: now.quote,
        text,
      };
      list.set((all) =>
        now.id === null ? [...all, comment] : all.map((entry) => (entry.id === now.id ? comment : entry)),
      );
    },
    remove(id: string) {
      list.set((all) => all.filter((entry) => entry.id !== id));
    },
  };
}

export type Comments = ReturnType<typeof commentsOf>;

/** Where a comment hangs: its side and line, as a key. */
export const spot = (side: Side, line: number) => `${side}:${line}`;

/** The side and number of a line on which a comment can hang. */
export function spotOf(line: DiffLine): { side: Side; number: number } | null {
  if (line.kind === "delete") return line.oldLine === null ? null : { side: "old", number: line.oldLine };
  return line.newLine === null ? null : { side: "new", number: line.newLine };
}
