import type { FeatureCard } from "@/api/types";
import { goneDependencies, openDependencies } from "../state";
import type { Link } from "./chains";
import { graph as s } from "./strings";

export const numbers = (cards: readonly FeatureCard[]) => cards.map(({ number }) => `#${number}`).join(", ");

/**
 * What a card has to do with those before it, in a few words: what it still waits for, else what it comes after. It waits for a card
 * of the whole board (`cards`), whether a filter shows it or not.
 */
export function relation(
  { card, before }: Pick<Link, "card" | "before">,
  cards: ReadonlyMap<string, FeatureCard>,
): string {
  const gone = goneDependencies(card, cards);
  const open = openDependencies(card, cards).sort((a, b) => a.number - b.number);
  const parts = [
    ...(gone > 0 ? [s.gone(gone)] : []),
    ...(open.length > 0 ? [s.waitsFor(numbers(open))] : before.length > 0 ? [s.after(numbers(before))] : []),
  ];
  return parts.join(", ");
}
