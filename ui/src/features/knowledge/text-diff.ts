import { changedWords, type Range } from "@/features/feature/lib/intraline";
import { compare } from "@/features/feature/lib/sequence";

/** A line of a comparison; `marks` are the words of it that are not in its counterpart. */
export interface DiffLine {
  kind: "same" | "add" | "delete";
  /** Its numbers in the two texts, from 1; 0 where it is not. */
  before: number;
  after: number;
  text: string;
  marks: readonly Range[];
}

/** Lines to show, or unchanged ones that are left out. */
export type DiffPart = { kind: "lines"; lines: DiffLine[] } | { kind: "gap"; lines: DiffLine[] };

/** Unchanged lines that are shown around a change. */
const AROUND = 3;

/** Compares two texts line by line, with the words that changed within lines. */
export function diffLines(before: string, after: string): DiffLine[] {
  const [a, b] = [before.split("\n"), after.split("\n")];
  const lines: DiffLine[] = compare(a, b).map((step) => ({
    kind: step.kind,
    before: step.a + 1,
    after: step.b + 1,
    text: (step.kind === "add" ? b[step.b] : a[step.a]) ?? "",
    marks: [],
  }));
  let at = 0;
  while (at < lines.length) {
    const run = (kind: DiffLine["kind"], from: number) => {
      let to = from;
      while (lines[to]?.kind === kind) to += 1;
      return to;
    };
    const deleted = run("delete", at);
    const added = run("add", deleted);
    // As many lines taken away as put in their place: the first answers the first, and so on.
    if (deleted - at === added - deleted)
      for (let n = 0; n < deleted - at; n += 1) {
        const [old, now] = [lines[at + n], lines[deleted + n]];
        const marks = old && now && changedWords(old.text, now.text);
        if (marks) {
          old.marks = marks.before;
          now.marks = marks.after;
        }
      }
    at = Math.max(added, at + 1);
  }
  return lines;
}

/** Leaves out what is far from every change. */
export function folded(lines: readonly DiffLine[], around = AROUND): DiffPart[] {
  const near = new Array<boolean>(lines.length).fill(false);
  for (const [at, line] of lines.entries())
    if (line.kind !== "same")
      for (let n = Math.max(0, at - around); n <= Math.min(lines.length - 1, at + around); n += 1)
        near[n] = true;
  const parts: DiffPart[] = [];
  for (const [at, line] of lines.entries()) {
    const kind = near[at] ? "lines" : "gap";
    const last = parts.at(-1);
    if (last?.kind === kind) last.lines.push(line);
    else parts.push({ kind, lines: [line] });
  }
  // To say that one line is left out takes as much room as the line.
  return parts.map((part) =>
    part.kind === "gap" && part.lines.length < 2 ? { ...part, kind: "lines" } : part,
  );
}

/** A line as pieces, marked and not. */
export function pieces(
  text: string,
  marks: readonly Range[],
): { text: string; marked: boolean; from: number }[] {
  const all: { text: string; marked: boolean; from: number }[] = [];
  let at = 0;
  for (const [from, to] of marks) {
    if (from > at) all.push({ text: text.slice(at, from), marked: false, from: at });
    all.push({ text: text.slice(from, to), marked: true, from });
    at = to;
  }
  if (at < text.length || all.length === 0) all.push({ text: text.slice(at), marked: false, from: at });
  return all;
}
