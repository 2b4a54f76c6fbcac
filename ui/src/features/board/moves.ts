import type { QueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import type { FeatureCard } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { act, cachedCard } from "@/features/actions";
import { putFeature } from "@/live/apply";
import { rememberFeature } from "@/live/recent";
import { type ColumnId, columnOf, moveTo, positionsFor } from "./columns";
import type { BoardStore } from "./state";

/** Lifts a card, to be carried by the arrow keys. */
export function pickUp(store: BoardStore, card: FeatureCard) {
  store.set((state) => ({
    ...state,
    current: card.id,
    moving: { card, by: "keyboard", over: columnOf(card.status), index: -1 },
  }));
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
