/** The rows of all pages that were fetched, each once: what changed between two fetches may stand on both. */
export function together<T extends { id: string }>(
  pages: readonly { items: readonly T[] }[] | undefined,
): T[] {
  const rows = new Map<string, T>();
  for (const row of pages?.flatMap((page) => page.items) ?? []) if (!rows.has(row.id)) rows.set(row.id, row);
  return [...rows.values()];
}
