import type { QueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import type { FeatureCard } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { act, cachedCard } from "@/features/actions";
import { announce } from "@/lib/announce";
import { putFeature } from "@/live/apply";
import { rememberFeature } from "@/live/recent";
import { COLUMNS, type ColumnId, columnOf, moveTo } from "./columns";
import type { BoardStore } from "./state";

const titleOf = (id: ColumnId) => COLUMNS.find((column) => column.id === id)?.title ?? id;

/** Does with the card that is carried by the keyboard what a key says, and tells it. */
export function carry(
  client: QueryClient,
  store: BoardStore,
  key: string,
  backlog: readonly FeatureCard[],
  open: (id: string) => void,
) {
  const { moving } = store.get();
  if (moving?.by !== "keyboard") return;
  const { card } = moving;
  const others = backlog.filter((one) => one.id !== card.id);
  const over = moving.over ?? columnOf(card.status);
  const here = Math.max(
    0,
    backlog.findIndex((one) => one.id === card.id),
  );
  const index = moving.index >= 0 ? moving.index : here;
  const go = (to: ColumnId, place: number) => {
    store.set((state) => ({ ...state, moving: { ...moving, over: to, index: place } }));
    const move = moveTo(card, to);
    if (move.kind === "refused") announce(`${titleOf(to)}: not possible. ${move.why}`);
    else if (to === "backlog") announce(`Backlog, place ${place + 1} of ${others.length + 1}`);
    else announce(move.kind === "action" ? `${titleOf(to)}: ${move.verb}` : titleOf(to));
  };
  const sideways = (by: number) => {
    const next = COLUMNS[COLUMNS.findIndex(({ id }) => id === over) + by];
    if (next !== undefined) go(next.id, index);
  };
  switch (key) {
    case "ArrowLeft":
    case "h":
      return sideways(-1);
    case "ArrowRight":
    case "l":
      return sideways(1);
    case "ArrowUp":
    case "k":
      return over === "backlog" && go(over, Math.max(0, index - 1));
    case "ArrowDown":
    case "j":
      return over === "backlog" && go(over, Math.min(others.length, index + 1));
    case "Enter":
    case " ":
      store.set((state) => ({ ...state, moving: null }));
      drop(client, store, card, over, index, backlog, open);
      announce(`Put down in ${titleOf(over)}`);
  }
}

/** Puts a card where it was let go: does what that means, or says why it cannot be. */
export function drop(
  client: QueryClient,
  store: BoardStore,
  card: FeatureCard,
  to: ColumnId,
  index: number,
  backlog: readonly FeatureCard[],
  open: (id: string) => void,
) {
  const move = moveTo(card, to);
  switch (move.kind) {
    case "none":
      return;
    case "refused":
      // Sent back for a change: that is said in words, in the card itself.
      if (to === "working") open(card.id);
      toast.done(move.why);
      return;
    case "reorder":
      void reorder(client, card, index, backlog);
      return;
    case "action":
      if (move.action === "merge") store.set((state) => ({ ...state, merging: card }));
      else act(client, card.id, move.action).catch(() => {});
  }
}

/** Writes a card's new place in the backlog; shown at once, put back when the server refuses. */
export async function reorder(
  client: QueryClient,
  card: FeatureCard,
  index: number,
  backlog: readonly FeatureCard[],
) {
  const others = backlog.filter((entry) => entry.id !== card.id);
  const stays = backlog.findIndex((entry) => entry.id === card.id) === index;
  if (stays || index < 0) return;
  const changes = positionsFor(others, index, card.id);
  const before = changes
    .map(({ id }) => cachedCard(client, id, card.projectId))
    .filter((entry) => entry !== undefined);
  for (const change of changes) {
    const entry = before.find(({ id }) => id === change.id);
    if (entry !== undefined) putFeature(client, { ...entry, position: change.position });
  }
  try {
    for (const { id, position } of changes) {
      const feature = await api.updateFeature(id, { position });
      rememberFeature(feature);
      putFeature(client, feature);
    }
  } catch (cause) {
    for (const entry of before) putFeature(client, entry);
    toast.error(`#${card.number} ${card.title}`, asApiError(cause));
  }
}

const STEP = 1;

/**
 * The positions to write so that a card stands at `index` of `others` (the column without it): its own, and, where two
 * neighbours have grown too close to fit it in between, those of the cards that follow.
 */
export function positionsFor(
  others: readonly FeatureCard[],
  index: number,
  id: string,
): { id: string; position: number }[] {
  const before = others[index - 1]?.position;
  const after = others[index]?.position;
  if (before === undefined && after === undefined) return [{ id, position: STEP }];
  if (before === undefined) return [{ id, position: (after ?? 0) - STEP }];
  if (after === undefined) return [{ id, position: before + STEP }];
  const middle = (before + after) / 2;
  if (middle > before && middle < after) return [{ id, position: middle }];
  const changes = [{ id, position: before + STEP }];
  let last = before + STEP;
  for (const card of others.slice(index)) {
    if (card.position > last) break;
    last += STEP;
    changes.push({ id: card.id, position: last });
  }
  return changes;
}
