import { createContext, useContext } from "react";
import type { FeatureCard } from "@/api/types";
import { createStore, type Store } from "@/lib/store";
import type { Refused } from "./bulk";
import type { ColumnId } from "./columns";

/** What is going on at the board that is nobody else's business. */
export interface BoardState {
  /** The card that keys act on. */
  current: string | null;
  /** A card that was opened by a key: the focus goes into its panel. */
  entered: string | null;
  selected: ReadonlySet<string>;
  /** The card from which on a selection is extended. */
  anchor: string | null;
  /** For which of several cards something was not done. */
  refused: Refused[];
  /** With how many it was tried. */
  of: number;
  /** How many times something is being done for several cards just now. */
  working: number;
  /** The card that is being moved, and where it would land. */
  moving: Moving | null;
  /** A card whose merge is to be confirmed. */
  merging: FeatureCard | null;
  /** Several cards whose merges are to be confirmed. */
  merges: FeatureCard[];
  /** Cards whose deletion is to be confirmed. */
  deleting: FeatureCard[];
}

export interface Moving {
  card: FeatureCard;
  by: "pointer" | "keyboard";
  over: ColumnId | null;
  /** Before which card of the backlog, counted without the card itself. */
  index: number;
}

export function createBoardStore() {
  return createStore<BoardState>({
    current: null,
    entered: null,
    selected: new Set(),
    anchor: null,
    refused: [],
    of: 0,
    working: 0,
    moving: null,
    merging: null,
    merges: [],
    deleting: [],
  });
}

export type BoardStore = Store<BoardState>;

export const BoardContext = createContext<{
  store: BoardStore;
  /** The numbers and statuses of all cards, to say what a card waits for. */
  cards: ReadonlyMap<string, FeatureCard>;
  projectId: string;
  /** Cards that were found by their descriptions alone. */
  within: ReadonlySet<string>;
  mayBuild: boolean;
  open: (id: string) => void;
  /** Selects a card or lets go of it, or extends what is selected to it. */
  select: (id: string, extend?: boolean) => void;
} | null>(null);

export function useBoardContext() {
  const value = useContext(BoardContext);
  if (value === null) throw new Error("a part of the board stands outside of it");
  return value;
}

/** How many cards it depends on that were deleted before they were merged. */
export const goneDependencies = (card: FeatureCard, cards: ReadonlyMap<string, FeatureCard>): number =>
  card.dependencies.filter((id) => !cards.has(id)).length;

/** Dependencies of a card that are not verified or completed yet. */
export function openDependencies(card: FeatureCard, cards: ReadonlyMap<string, FeatureCard>): FeatureCard[] {
  return card.dependencies
    .map((id) => cards.get(id))
    .filter((entry) => entry !== undefined)
    .filter((entry) => entry.status !== "verified" && entry.status !== "completed");
}
