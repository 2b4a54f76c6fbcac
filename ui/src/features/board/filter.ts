import type { FeatureCard } from "@/api/types";
import type { BoardSearch } from "@/router";

export interface Filter {
  text: string;
  category: string | null;
  priority: number | null;
}

export function filterOf(search: BoardSearch): Filter {
  return { text: search.q ?? "", category: search.category ?? null, priority: search.priority ?? null };
}

export function isFiltered(filter: Filter): boolean {
  return filter.text.trim() !== "" || filter.category !== null || filter.priority !== null;
}

/** The cards that all parts of the filter let through. `#12` or `12` finds a card by its number. */
export function filterCards(cards: FeatureCard[], filter: Filter): FeatureCard[] {
  if (!isFiltered(filter)) return cards;
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return cards.filter((card) => {
    if (filter.category !== null && card.category !== filter.category) return false;
    if (filter.priority !== null && card.priority !== filter.priority) return false;
    if (words.length === 0) return true;
    const text = `#${card.number} ${card.title} ${card.category}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** The categories in use, in alphabetical order. */
export function categoriesOf(cards: readonly FeatureCard[]): string[] {
  return [...new Set(cards.map((card) => card.category).filter(Boolean))].sort((a, b) => a.localeCompare(b));
}
