/** How well `text` answers `query`: 0 not at all; whole words and beginnings of words weigh more. */
export function score(query: string, text: string): number {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const hay = text.toLowerCase();
  let sum = 0;
  for (const word of words) {
    const at = hay.indexOf(word);
    if (at < 0) return 0;
    const atStart = at === 0 || /[^\p{L}\p{N}]/u.test(hay[at - 1] ?? " ");
    sum += (atStart ? 3 : 1) + (at === 0 ? 1 : 0) + word.length / (hay.length + 1);
  }
  return sum;
}

/** Those that answer `query`, the best first; equal ones stay in order. */
export function rank<T>(query: string, items: readonly T[], text: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, score: score(query, text(item)) }))
    .filter((entry) => entry.score > 0)
    .sort((a, b) => b.score - a.score)
    .map((entry) => entry.item);
}
