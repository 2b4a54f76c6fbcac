import { compare } from "./sequence";

/** Characters `[from, to)` of a line. */
export type Range = readonly [from: number, to: number];

const WORDS = /[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu;
/** Lines longer than this are not looked into. */
const LONGEST = 2_000;
/** A pair of lines that shares less than this is two different lines, and marking words would only be noise. */
const ALIKE = 0.35;

/** Which words of a line changed; nothing when the two lines have little in common, or nothing changed at all. */
export function changedWords(before: string, after: string): { before: Range[]; after: Range[] } | null {
  if (before === after || before.length > LONGEST || after.length > LONGEST) return null;
  const a = before.match(WORDS) ?? [];
  const b = after.match(WORDS) ?? [];
  const steps = compare(a, b, 400);
  let shared = 0;
  const marks = { before: [] as [number, number][], after: [] as [number, number][] };
  let [x, y] = [0, 0];
  for (const step of steps) {
    const word = (step.kind === "add" ? b[step.b] : a[step.a]) ?? "";
    if (step.kind === "same") {
      if (word.trim() !== "") shared += word.length;
      x += word.length;
      y += word.length;
    } else if (step.kind === "delete") {
      extend(marks.before, x, x + word.length, before);
      x += word.length;
    } else {
      extend(marks.after, y, y + word.length, after);
      y += word.length;
    }
  }
  const whole = Math.max(before.replace(/\s+/g, "").length, after.replace(/\s+/g, "").length);
  if (whole > 0 && shared / whole < ALIKE) return null;
  return marks;
}

/** Adds a range; one that is parted from the last only by blanks is joined to it. */
function extend(marks: [number, number][], from: number, to: number, text: string) {
  const last = marks.at(-1);
  if (last && text.slice(last[1], from).trim() === "" && from - last[1] <= 1) last[1] = to;
  else marks.push([from, to]);
}
