import { compare } from "@/features/feature/lib/sequence";

/** A part of a text that two people changed: agreed upon, or changed by both in different ways. */
export type Part =
  | { kind: "settled"; lines: string[] }
  | { kind: "conflict"; base: string[]; mine: string[]; theirs: string[] };

/** What becomes of a conflict. */
export type Choice = "mine" | "theirs" | "both";

const same = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && a.every((line, at) => line === b[at]);

/** For each line of `base` its place in `other`, or -1. */
function places(base: readonly string[], other: readonly string[]): number[] {
  const found = new Array<number>(base.length).fill(-1);
  for (const { kind, a, b } of compare(base, other)) if (kind === "same") found[a] = b;
  return found;
}

/**
 * Joins two texts that were made of the same one. What only one of the two changed is taken over; where both changed the
 * same lines in different ways, both are kept as a conflict.
 */
export function merge(base: string, mine: string, theirs: string): Part[] {
  const [o, a, b] = [base.split("\n"), mine.split("\n"), theirs.split("\n")];
  const [inA, inB] = [places(o, a), places(o, b)];
  const parts: Part[] = [];
  const settle = (lines: string[]) => {
    if (lines.length === 0) return;
    const last = parts.at(-1);
    if (last?.kind === "settled") last.lines.push(...lines);
    else parts.push({ kind: "settled", lines: [...lines] });
  };
  const join = (was: string[], mine: string[], theirs: string[]) => {
    if (same(mine, theirs) || same(was, theirs)) settle(mine);
    else if (same(was, mine)) settle(theirs);
    else parts.push({ kind: "conflict", base: was, mine, theirs });
  };
  let [i, j, k] = [0, 0, 0];
  for (let next = 0; next < o.length; next += 1) {
    const [x, y] = [inA[next] ?? -1, inB[next] ?? -1];
    // A line that all three have parts what was changed before it from what comes after.
    if (x < j || y < k) continue;
    join(o.slice(i, next), a.slice(j, x), b.slice(k, y));
    settle([o[next] ?? ""]);
    [i, j, k] = [next + 1, x + 1, y + 1];
  }
  join(o.slice(i), a.slice(j), b.slice(k));
  return parts;
}

/** The text that comes of the choices, one for each conflict in order; an open one keeps both sides. */
export function settled(parts: readonly Part[], choices: readonly (Choice | undefined)[]): string {
  let at = 0;
  return parts
    .flatMap((part) => {
      if (part.kind === "settled") return part.lines;
      const choice = choices[at++] ?? "both";
      if (choice === "mine") return part.mine;
      return choice === "theirs" ? part.theirs : [...part.mine, ...part.theirs];
    })
    .join("\n");
}

/** Joins two lists: theirs, with what I added and without what I took away. */
export function mergeLists(base: readonly string[], mine: readonly string[], theirs: readonly string[]) {
  const kept = theirs.filter((entry) => mine.includes(entry) || !base.includes(entry));
  return [...kept, ...mine.filter((entry) => !base.includes(entry) && !kept.includes(entry))];
}

/** Joins the fields of two drafts of the same thing: `conflicts` names those that both changed in different ways. */
export function mergeFields<T extends object>(
  base: T,
  mine: T,
  theirs: T,
): { merged: T; conflicts: (keyof T)[] } {
  const merged = { ...theirs };
  const conflicts: (keyof T)[] = [];
  const equal = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  for (const key of Object.keys(mine) as (keyof T)[]) {
    const [was, own, other] = [base[key], mine[key], theirs[key]];
    if (equal(own, was) || equal(own, other)) continue;
    merged[key] = own;
    if (equal(other, was)) continue;
    if (Array.isArray(own) && Array.isArray(other))
      merged[key] = mergeLists(Array.isArray(was) ? was : [], own, other) as T[keyof T];
    else conflicts.push(key);
  }
  return { merged, conflicts };
}
