/** One step of a comparison: `a` and `b` are places in the two sequences; the one that does not take part is -1. */
export interface Step {
  kind: "same" | "delete" | "add";
  a: number;
  b: number;
}

/** Differences beyond which two sequences count as wholly different; the work grows with the square of it. */
const MOST = 1_000;

/**
 * Compares two sequences (Myers): the shortest list of steps that makes `b` of `a`, deletions before additions.
 * Sequences that differ in very much come out as all deleted, then all added.
 */
export function compare(a: readonly string[], b: readonly string[], most = MOST): Step[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (
    end < a.length - start &&
    end < b.length - start &&
    a[a.length - 1 - end] === b[b.length - 1 - end]
  ) {
    end += 1;
  }
  const steps: Step[] = [];
  for (let i = 0; i < start; i += 1) steps.push({ kind: "same", a: i, b: i });
  steps.push(...middle(a, b, start, a.length - end, b.length - end, most));
  for (let i = end; i > 0; i -= 1) steps.push({ kind: "same", a: a.length - i, b: b.length - i });
  return deletionsFirst(steps);
}

function middle(
  a: readonly string[],
  b: readonly string[],
  start: number,
  aEnd: number,
  bEnd: number,
  most: number,
): Step[] {
  const n = aEnd - start;
  const m = bEnd - start;
  const trace: Int32Array[] = [];
  const limit = Math.min(n + m, most);
  // furthest[k + limit]: how far into `a` the best path on diagonal k reaches.
  const furthest = new Int32Array(2 * limit + 3);
  const mid = limit + 1;
  for (let d = 0; d <= limit; d += 1) {
    trace.push(furthest.slice(mid - d - 1, mid + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const left = furthest[mid + k - 1] ?? 0;
      const right = furthest[mid + k + 1] ?? 0;
      let x = k === -d || (k !== d && left < right) ? right : left + 1;
      while (x < n && x - k < m && a[start + x] === b[start + x - k]) x += 1;
      furthest[mid + k] = x;
      if (x >= n && x - k >= m) return walkBack(trace, n, m, start);
    }
  }
  return [
    ...Array.from({ length: n }, (_, i): Step => ({ kind: "delete", a: start + i, b: -1 })),
    ...Array.from({ length: m }, (_, i): Step => ({ kind: "add", a: -1, b: start + i })),
  ];
}

function walkBack(trace: Int32Array[], n: number, m: number, start: number): Step[] {
  const steps: Step[] = [];
  let x = n;
  let y = m;
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const reached = trace[d] ?? new Int32Array();
    // This step's slice begins at diagonal -d - 1.
    const at = (k: number) => reached[k + d + 1] ?? 0;
    const k = x - y;
    const before = k === -d || (k !== d && at(k - 1) < at(k + 1)) ? k + 1 : k - 1;
    const fromX = d === 0 ? 0 : at(before);
    const fromY = d === 0 ? 0 : fromX - before;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      steps.push({ kind: "same", a: start + x, b: start + y });
    }
    if (d === 0) break;
    if (before > k) {
      y -= 1;
      steps.push({ kind: "add", a: -1, b: start + y });
    } else {
      x -= 1;
      steps.push({ kind: "delete", a: start + x, b: -1 });
    }
  }
  return steps.reverse();
}

/** Within each run of changes, deletions come before additions, as people expect to read them. */
function deletionsFirst(steps: Step[]): Step[] {
  const out: Step[] = [];
  let adds: Step[] = [];
  for (const step of steps) {
    if (step.kind === "add") adds.push(step);
    else {
      if (step.kind === "same" && adds.length > 0) {
        out.push(...adds);
        adds = [];
      }
      out.push(step);
    }
  }
  return [...out, ...adds];
}
