import type { FeatureCard } from "@/api/types";
import { announce } from "@/lib/announce";
import { COLUMNS, type ColumnId } from "./columns";
import type { BoardState, BoardStore } from "./state";
import { board as s } from "./strings";

/** The cards of a column from one to another; nothing where they are not in the same. */
export function between(
  arranged: Readonly<Record<ColumnId, readonly FeatureCard[]>>,
  from: string | null,
  to: string,
): string[] {
  for (const { id } of COLUMNS) {
    const column = arranged[id].map((card) => card.id);
    const [a, b] = [from === null ? -1 : column.indexOf(from), column.indexOf(to)];
    if (a >= 0 && b >= 0) return column.slice(Math.min(a, b), Math.max(a, b) + 1);
  }
  return [];
}

/** Selects a card or lets go of it; with `extend`, all between the one that was selected last in its column and it. */
export function select(
  store: BoardStore,
  arranged: Readonly<Record<ColumnId, readonly FeatureCard[]>>,
  id: string,
  extend = false,
) {
  store.set((state) => {
    const selected = new Set(state.selected);
    const range = extend ? between(arranged, state.anchor, id) : [];
    if (range.length > 0) for (const one of range) selected.add(one);
    else if (!selected.delete(id)) selected.add(id);
    // What was refused before a selection begins anew is of another one.
    const refused = state.selected.size > 0 ? state.refused : [];
    return { ...state, selected, refused, anchor: range.length > 0 ? state.anchor : id };
  });
  announce(s.selected(store.get().selected.size));
}

/** Lets go of all of them. */
export const clear = (state: BoardState): BoardState => ({
  ...state,
  selected: new Set(),
  anchor: null,
  refused: [],
});

/** Nobody looks any more: what is refused from now on is told elsewhere, and of several merges those that have not begun do not begin. */
export const leaveBoard = (state: BoardState): BoardState => ({
  ...clear(state),
  merging: null,
  merges: [],
  deleting: [],
});
