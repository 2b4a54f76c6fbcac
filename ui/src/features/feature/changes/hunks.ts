import type { DiffFile, DiffLine, Hunk } from "@/api/types";
import { changedWords, type Range } from "../lib/intraline";
import { compare } from "../lib/sequence";

/** A stretch of unchanged lines that the diff leaves out: between two hunks, before the first, or after the last. */
export interface Gap {
  /** Its number within the file, from 0 for what comes before the first hunk. */
  index: number;
  /** The first line, on either side, and the last one after the change; nothing when that is the end of the file. */
  old: number;
  from: number;
  to: number | null;
}

/** How many lines of a gap are shown, after what comes above it and before what comes below it. */
export interface Revealed {
  top: number;
  bottom: number;
}

const blank = (text: string) => text.replace(/\s+/g, "");

/** A hunk in which lines that differ only in blanks count as unchanged. */
export function withoutWhitespace(hunk: Hunk): Hunk {
  const lines: DiffLine[] = [];
  eachBlock(
    hunk.lines,
    (line) => lines.push(line),
    (deletes, adds) => {
      const steps = compare(
        deletes.map((line) => blank(line.text)),
        adds.map((line) => blank(line.text)),
      );
      for (const step of steps) {
        const gone = deletes[step.a];
        const come = adds[step.b];
        if (step.kind === "same" && gone && come) {
          lines.push({ ...come, kind: "context", oldLine: gone.oldLine, newLine: come.newLine });
        } else if (step.kind === "delete" && gone) lines.push(gone);
        else if (come) lines.push(come);
      }
    },
  );
  return { ...hunk, lines };
}

/** Calls for each unchanged line, and for each block of lines that go and come. */
function eachBlock(
  lines: readonly DiffLine[],
  same: (line: DiffLine) => void,
  block: (deletes: DiffLine[], adds: DiffLine[]) => void,
) {
  let deletes: DiffLine[] = [];
  let adds: DiffLine[] = [];
  const flush = () => {
    if (deletes.length > 0 || adds.length > 0) block(deletes, adds);
    deletes = [];
    adds = [];
  };
  for (const line of lines) {
    if (line.kind === "context") {
      flush();
      same(line);
    } else if (line.kind === "delete") {
      if (adds.length > 0) flush();
      deletes.push(line);
    } else adds.push(line);
  }
  flush();
}

/** The hunks to show; those in which nothing is left to see are left out. */
export function shownHunks(file: DiffFile, hideWhitespace: boolean): Hunk[] {
  if (!hideWhitespace || file.status === "added" || file.status === "deleted") return file.hunks;
  return file.hunks
    .map(withoutWhitespace)
    .filter((hunk) => hunk.lines.some((line) => line.kind !== "context"));
}

/** Where a hunk begins after the change, and the lines that come after it on each side. */
function span(hunk: Hunk) {
  const match = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(hunk.header);
  const [old, oldCount, from, count] = [1, 2, 3, 4].map((n) =>
    match?.[n] === undefined ? 1 : Number(match[n]),
  );
  // A side without lines is said to begin one line early.
  const oldStart = (old ?? 1) + (oldCount === 0 ? 1 : 0);
  const newStart = (from ?? 1) + (count === 0 ? 1 : 0);
  return {
    newStart,
    oldEnd: oldStart + (oldCount ?? 1),
    newEnd: newStart + (count ?? 1),
  };
}

/** Unchanged lines that git shows around a change. */
const AROUND = 3;

/** The gaps around hunks, one more than there are hunks; nothing where there is no gap. */
export function gapsOf(file: DiffFile, hunks: readonly Hunk[]): (Gap | null)[] {
  // What was not there before, or is not there any more, is shown whole.
  if (file.status === "added" || file.status === "deleted") return [null, ...hunks.map(() => null)];
  const gaps: (Gap | null)[] = [];
  let old = 1;
  let from = 1;
  hunks.forEach((hunk, index) => {
    const { newStart, oldEnd, newEnd } = span(hunk);
    gaps.push(newStart > from ? { index, old, from, to: newStart - 1 } : null);
    [old, from] = [oldEnd, newEnd];
  });
  // Git shows three unchanged lines after a change; fewer mean that the file ends there.
  const tail = hunks.at(-1)?.lines.slice(-AROUND) ?? [];
  const ends = tail.length < AROUND || tail.some((line) => line.kind !== "context" || line.noNewline);
  gaps.push(ends && hunks.length > 0 ? null : { index: hunks.length, old, from, to: null });
  return gaps;
}

/** What git says a hunk is in, such as the function. */
export function contextOf(hunk: Hunk): string {
  return /^@@ [^@]* @@ ?(.*)$/.exec(hunk.header)?.[1] ?? "";
}

/** The lines of a gap from `first` on, at most `count`, out of the file as it is after the change. */
export function gapLines(gap: Gap, content: readonly string[], first: number, count: number): DiffLine[] {
  const end = Math.min(gap.to ?? content.length, first + count - 1);
  const lines: DiffLine[] = [];
  for (let line = first; line <= end; line += 1) {
    lines.push({
      kind: "context",
      oldLine: gap.old + (line - gap.from),
      newLine: line,
      text: content[line - 1] ?? "",
    });
  }
  return lines;
}

/** A gap as it is shown: the lines above, how many stay hidden, the lines below. */
export function openGap(gap: Gap, content: readonly string[] | null, shown: Revealed) {
  const to = gap.to ?? content?.length ?? null;
  const size = to === null ? null : Math.max(0, to - gap.from + 1);
  if (content === null || size === null) return { top: [], hidden: size, bottom: [] };
  const top = Math.min(shown.top, size);
  const bottom = Math.min(shown.bottom, size - top);
  return {
    top: gapLines(gap, content, gap.from, top),
    hidden: size - top - bottom,
    bottom: bottom === 0 ? [] : gapLines(gap, content, gap.from + size - bottom, bottom),
  };
}

/** One row side by side. */
export interface Pair {
  left: DiffLine | null;
  right: DiffLine | null;
}

/** Lines side by side: what goes beside what comes. */
export function pairsOf(lines: readonly DiffLine[]): Pair[] {
  const pairs: Pair[] = [];
  eachBlock(
    lines,
    (line) => pairs.push({ left: line, right: line }),
    (deletes, adds) => {
      for (let i = 0; i < Math.max(deletes.length, adds.length); i += 1) {
        pairs.push({ left: deletes[i] ?? null, right: adds[i] ?? null });
      }
    },
  );
  return pairs;
}

/** The words that changed, for each line that has a counterpart. */
export function marksOf(lines: readonly DiffLine[]): Map<DiffLine, readonly Range[]> {
  const marks = new Map<DiffLine, readonly Range[]>();
  eachBlock(
    lines,
    () => {},
    (deletes, adds) => {
      // Blocks of very different length have no line-by-line counterpart.
      if (Math.abs(deletes.length - adds.length) > 3 * Math.min(deletes.length, adds.length) + 3) return;
      for (let i = 0; i < Math.min(deletes.length, adds.length); i += 1) {
        const [gone, come] = [deletes[i], adds[i]];
        const words = gone && come ? changedWords(gone.text, come.text) : null;
        if (!gone || !come || words === null) continue;
        marks.set(gone, words.before);
        marks.set(come, words.after);
      }
    },
  );
  return marks;
}

/** A short name for what a file's change is, so that a mark is void once the change is another. */
export function fingerprint(file: DiffFile): string {
  let hash = 5381;
  const add = (text: string) => {
    for (let i = 0; i < text.length; i += 1) hash = ((hash * 33) ^ text.charCodeAt(i)) >>> 0;
  };
  add(`${file.status}${file.oldPath}${file.newPath}${file.oldMode}${file.newMode}`);
  add(`${file.additions} ${file.deletions} ${file.binary}`);
  for (const hunk of file.hunks) for (const line of hunk.lines) add(line.kind[0] + line.text);
  return hash.toString(36);
}

const GENERATED =
  /(^|\/)(package-lock\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|Cargo\.lock|poetry\.lock|uv\.lock|composer\.lock|Gemfile\.lock|go\.sum|flake\.lock)$|\.(min\.(js|css)|map|snap)$/;
/** Changed lines from which on a file is not unfolded by itself. */
const LARGE = 1_000;

/** Whether a file is shown folded at first: very long, or written by a program. */
export function isLarge(file: DiffFile): boolean {
  return file.additions + file.deletions > LARGE || GENERATED.test(file.newPath);
}

/** How much of the work is left to look at, in rows; about. */
export function rowCount(hunks: readonly Hunk[]): number {
  return hunks.reduce((sum, hunk) => sum + hunk.lines.length + 2, 1);
}
