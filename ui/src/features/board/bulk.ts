import { type ApiError, asApiError } from "@/api/error";
import type { FeatureCard } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { actionsFor, type FeatureAction } from "@/features/actions";
import { announce } from "@/lib/announce";
import { bulk as s } from "./bulk-strings";
import type { BoardStore } from "./state";

/** So many requests at once: a hundred cards must not crowd out everything else. */
const AT_ONCE = 4;

/** A card for which something was not done, and why not. */
export interface Refused {
  card: FeatureCard;
  error: ApiError;
}

interface How {
  atOnce?: number;
  /** Whether what has not begun is still to be done. */
  goesOn?: () => boolean;
  /** Whether the cards stay selected. */
  stay?: boolean;
}

/** Does something for each of several cards, whatever becomes of the others, and tells what came of it. */
export async function forEach(
  store: BoardStore,
  cards: readonly FeatureCard[],
  does: (card: FeatureCard) => Promise<unknown>,
  { atOnce = AT_ONCE, goesOn = () => true, stay = false }: How = {},
) {
  const queue = [...cards];
  const tried: FeatureCard[] = [];
  const refused: Refused[] = [];
  const work = async () => {
    for (let card = queue.shift(); card !== undefined && goesOn(); card = queue.shift()) {
      tried.push(card);
      try {
        await does(card);
      } catch (error) {
        refused.push({ card, error: asApiError(error) });
      }
    }
  };
  store.set((state) => ({ ...state, working: state.working + 1 }));
  await Promise.all(Array.from({ length: atOnce }, work));
  store.set((state) => ({ ...state, working: state.working - 1 }));
  refused.sort((a, b) => cards.indexOf(a.card) - cards.indexOf(b.card));
  settle(store, tried, refused, stay);
}

/** What can be done with all of these as they stand. */
export function allowed(cards: readonly FeatureCard[]): FeatureAction[] {
  const [first, ...others] = cards.map((card) => actionsFor(card));
  return (first ?? []).filter((action) => others.every((actions) => actions.includes(action)));
}

/** What came of something that was done for several cards: what was refused is told, and stays selected. */
function settle(store: BoardStore, tried: readonly FeatureCard[], refused: Refused[], stay: boolean) {
  const failed = new Set(refused.map(({ card }) => card.id));
  const left = new Set(stay ? [] : tried.filter((card) => !failed.has(card.id)).map((card) => card.id));
  // Where none of them is selected any more there is no bar that would tell why not.
  const told = refused.some(({ card }) => store.get().selected.has(card.id));
  store.set((state) => ({
    ...state,
    selected: new Set([...state.selected].filter((id) => !left.has(id))),
    ...(told ? { refused, of: tried.length } : {}),
  }));
  if (refused.length === 0) {
    if (tried.length > 0) announce(s.done(tried.length));
  } else if (!told) tellApart(refused);
}

/** Says once for each reason for which cards it was not done. */
function tellApart(refused: readonly Refused[]) {
  const reasons = new Map<string, Refused[]>();
  for (const one of refused) reasons.set(one.error.detail, [...(reasons.get(one.error.detail) ?? []), one]);
  for (const group of reasons.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const { card, error } = first;
    const numbers = group.map(({ card }) => `#${card.number}`).join(", ");
    toast.error(group.length === 1 ? `#${card.number} ${card.title}` : s.notDone(numbers), error);
  }
}
