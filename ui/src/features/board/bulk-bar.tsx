import { useQueryClient } from "@tanstack/react-query";
import { Play, SignalHigh, Trash2, X } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import type { FeatureCard } from "@/api/types";
import { PriorityIcon } from "@/components/priority";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { act, actionsFor } from "@/features/actions";
import { plural } from "@/lib/format";
import { putFeature } from "@/live/apply";
import { rememberFeature } from "@/live/recent";
import * as words from "@/strings";
import { useBoardContext } from "./state";

/** So many requests at once: a hundred cards must not crowd out everything else. */
const AT_ONCE = 4;

/** Does something for each card; says at the end how many were refused, and why the first was. */
export async function forEach(cards: FeatureCard[], does: (card: FeatureCard) => Promise<unknown>) {
  const queue = [...cards];
  const refused: { card: FeatureCard; error: unknown }[] = [];
  const work = async () => {
    for (let card = queue.shift(); card !== undefined; card = queue.shift()) {
      try {
        await does(card);
      } catch (error) {
        refused.push({ card, error });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const first = refused[0];
  if (first !== undefined) {
    const error = asApiError(first.error);
    const more = refused.length > 1 ? ` and ${plural(refused.length - 1, "other")}` : "";
    toast.error(`Not done for #${first.card.number}${more}`, error);
  }
}

/** What can be done with several cards at once. */
export function BulkBar() {
  const client = useQueryClient();
  const { store, cards } = useBoardContext();
  const selected = store.usePart((state) => state.selected);
  const [busy, setBusy] = useState(false);
  if (selected.size === 0) return null;

  const chosen = [...selected].map((id) => cards.get(id)).filter((card) => card !== undefined);
  const clear = () => store.set((state) => ({ ...state, selected: new Set() }));
  const startable = chosen.filter(
    (card) => card.status === "backlog" || card.status === "failed" || card.status === "paused",
  );
  const deletable = chosen.filter((card) => actionsFor(card).includes("delete"));

  const run = async (list: FeatureCard[], does: (card: FeatureCard) => Promise<unknown>) => {
    setBusy(true);
    await forEach(list, does);
    setBusy(false);
    clear();
  };
  return (
    <div
      role="toolbar"
      aria-label={`${plural(chosen.length, "card")} selected`}
      className="absolute bottom-4 left-1/2 z-30 flex w-max max-w-[calc(100%-1.5rem)] -translate-x-1/2 flex-wrap items-center gap-1 rounded-xl bg-raised p-1.5 pl-3 shadow-pop"
    >
      <span className="num mr-2 whitespace-nowrap font-medium text-sm" aria-live="polite">
        {chosen.length} selected
      </span>
      <Button
        size="sm"
        variant="primary"
        busy={busy}
        disabled={startable.length === 0}
        onClick={() =>
          void run(startable, (card) =>
            act(client, card.id, card.status === "backlog" ? "start" : "retry", { quiet: true }),
          )
        }
      >
        <Play /> Start {startable.length > 0 && startable.length < chosen.length ? startable.length : ""}
      </Button>
      <Menu
        side="top"
        trigger={
          <Button size="sm" variant="ghost">
            <SignalHigh /> Priority
          </Button>
        }
      >
        {[1, 2, 3].map((priority) => (
          <MenuItem
            key={priority}
            icon={<PriorityIcon priority={priority} />}
            onClick={() =>
              void run(chosen, async (card) => {
                const feature = await api.updateFeature(card.id, { priority });
                rememberFeature(feature);
                putFeature(client, feature);
              })
            }
          >
            {words.priority[priority]}
          </MenuItem>
        ))}
      </Menu>
      <Button
        size="sm"
        variant="ghost"
        className="text-red hover:text-red"
        disabled={deletable.length === 0}
        onClick={() => store.set((state) => ({ ...state, deleting: deletable }))}
      >
        <Trash2 /> Delete
      </Button>
      <Button size="icon-sm" variant="ghost" aria-label="Clear the selection" onClick={clear}>
        <X />
      </Button>
    </div>
  );
}
