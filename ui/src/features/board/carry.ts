import type { FeatureCard } from "@/api/types";
import { announce } from "@/lib/announce";
import { columnOf } from "./columns";
import type { BoardStore } from "./state";

/** Ends the carrying of a card, which stays where it was. */
export function leave(store: BoardStore) {
  store.set((state) => ({ ...state, moving: null }));
  announce("Left where it was");
}

/** Lifts a card, to be carried by the arrow keys. */
export function pickUp(store: BoardStore, card: FeatureCard) {
  store.set((state) => ({
    ...state,
    current: card.id,
    moving: { card, by: "keyboard", over: columnOf(card.status), index: -1 },
  }));
  announce(
    `Picked up ${card.title}. Left and right choose a column, up and down a place, Enter puts it down, Escape leaves it.`,
  );
}
