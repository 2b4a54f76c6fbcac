import type { DiffLine } from "@/api/types";
import { type Comment, kept, type Writing } from "../lib/kept";

export type Side = Comment["side"];

/** The feature in which a comment was begun just now: its field takes the focus, and one that is found there does not. */
let begun: string | null = null;

/** Comments of one feature that are not sent yet, and the one that is being written: both wait for whoever looks elsewhere meanwhile. */
export function commentsOf(featureId: string) {
  const list = kept.comments(featureId);
  const writing = kept.writing(featureId);
  const keep = () => {
    const now = writing.get();
    if (now === null) return;
    const text = now.text.trim();
    writing.set(null);
    if (text === "") return;
    const comment: Comment = { ...now, id: now.id ?? crypto.randomUUID(), text };
    list.set((all) =>
      all.some(({ id }) => id === comment.id)
        ? all.map((entry) => (entry.id === comment.id ? comment : entry))
        : [...all, comment],
    );
  };
  /** One is written at a time: what there is of another is kept. */
  const write = (next: Writing) => {
    keep();
    begun = featureId;
    writing.set(next);
  };
  return {
    list,
    writing,
    keep,
    begin(path: string, side: Side, line: DiffLine) {
      const number = side === "old" ? line.oldLine : line.newLine;
      if (number === null) return;
      write({ path, side, line: number, quote: line.text, id: null, text: "" });
    },
    /** Whether a comment was begun since this was last asked. */
    wasBegun() {
      const was = begun === featureId;
      if (was) begun = null;
      return was;
    },
    edit(comment: Comment) {
      write({ ...comment });
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
