import type { FeatureCard } from "@/api/types";
import { isOf } from "@/features/attention";
import type { BoardSearch } from "@/router";

/** In place of an agent's id: cards that name none. */
export const USUAL = "usual";

export interface Filter {
  text: string;
  category: string | null;
  priority: number | null;
  /** The member whose cards are shown. */
  member: string | null;
  /** The agent whose cards are shown, or `USUAL`. */
  agent: string | null;
}

/** The search of a board that shows everything. */
export const EVERYTHING: BoardSearch = { q: "", category: "", priority: 0, member: "", agent: "" };

export function filterOf(search: BoardSearch): Filter {
  const { q, category, priority, member, agent } = search;
  return {
    text: q ?? "",
    category: category ?? null,
    priority: priority ?? null,
    member: member ?? null,
    agent: agent ?? null,
  };
}

export function isFiltered({ text, ...parts }: Filter): boolean {
  return text.trim() !== "" || Object.values(parts).some((part) => part !== null);
}

const NONE: ReadonlySet<string> = new Set();

/** Whether a card's own line has all that is looked for: its number (`#12` or `12`), title and category. */
function tells(card: FeatureCard, words: readonly string[]): boolean {
  const line = `#${card.number} ${card.title} ${card.category}`.toLowerCase();
  return words.every((word) => line.includes(word));
}

const wordsOf = (text: string) => text.toLowerCase().split(/\s+/).filter(Boolean);

/** The cards that all parts of the filter let through. `said` are those that the server found by the text. */
export function filterCards(
  cards: FeatureCard[],
  filter: Filter,
  said: ReadonlySet<string> = NONE,
): FeatureCard[] {
  if (!isFiltered(filter)) return cards;
  const words = wordsOf(filter.text);
  return cards.filter((card) => {
    if (filter.category !== null && card.category !== filter.category) return false;
    if (filter.priority !== null && card.priority !== filter.priority) return false;
    if (filter.member !== null && !isOf(card, filter.member)) return false;
    if (filter.agent !== null && (card.agentId ?? USUAL) !== filter.agent) return false;
    return said.has(card.id) || tells(card, words);
  });
}

/** Of the cards that the server found by the text, those on which one does not see why: it stands in the description. */
export function saidWithin(
  cards: readonly FeatureCard[],
  text: string,
  said: ReadonlySet<string>,
): ReadonlySet<string> {
  if (said.size === 0) return NONE;
  const words = wordsOf(text);
  return new Set(cards.filter((card) => said.has(card.id) && !tells(card, words)).map((card) => card.id));
}

/** The categories in use, in alphabetical order. */
export function categoriesOf(cards: readonly FeatureCard[]): string[] {
  return [...new Set(cards.map((card) => card.category).filter(Boolean))].sort((a, b) => a.localeCompare(b));
}

/** Whether there is a choice of whose cards to see, and of which agent's. */
export function choicesOf(cards: readonly FeatureCard[]): { members: boolean; agents: boolean } {
  return {
    members: cards.some((card) => !isOf(card, cards[0]?.createdBy)),
    agents: cards.some((card) => card.agentId !== cards[0]?.agentId),
  };
}
