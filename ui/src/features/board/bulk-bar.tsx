import { useQueryClient } from "@tanstack/react-query";
import { CircleAlert, MoveRight, Play, Trash2, X } from "lucide-react";
import type { KeyboardEvent } from "react";
import { api } from "@/api/calls";
import type { FeatureCard, FeaturePatch } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem, MenuLabel } from "@/components/ui/menu";
import { act, actionsFor, type FeatureAction } from "@/features/actions";
import { sentence } from "@/lib/format";
import { putFeature } from "@/live/apply";
import { rememberFeature } from "@/live/recent";
import { t } from "@/strings";
import { allowed, forEach } from "./bulk";
import { BulkEdit } from "./bulk-edit";
import { bulk as s } from "./bulk-strings";
import { clear } from "./selection";
import { useBoardContext } from "./state";
import { board } from "./strings";

/** What moves cards, beside starting and deleting them, which have buttons of their own. */
const MOVES = ["shelve", "stop", "verify", "merge"] as const satisfies readonly FeatureAction[];

/** What can be done with several cards at once. */
export function BulkBar() {
  const client = useQueryClient();
  const { store, cards } = useBoardContext();
  const selected = store.usePart((state) => state.selected);
  const busy = store.usePart((state) => state.working) > 0;
  const chosen = [...selected].map((id) => cards.get(id)).filter((card) => card !== undefined);
  if (chosen.length === 0) return null;

  const startable = chosen.filter(
    (card) => card.status === "backlog" || card.status === "failed" || card.status === "paused",
  );
  const deletable = chosen.filter((card) => actionsFor(card).includes("delete"));
  const moves = MOVES.filter((move) => allowed(chosen).includes(move));

  const run = (list: readonly FeatureCard[], does: (card: FeatureCard) => Promise<unknown>, stay = false) => {
    store.set((state) => ({ ...state, refused: [] }));
    void forEach(store, list, does, { stay });
  };
  const move = (action: (typeof MOVES)[number]) => {
    if (action === "merge") store.set((state) => ({ ...state, merges: chosen, refused: [] }));
    else run(chosen, (card) => act(client, card.id, action, { quiet: true }));
  };
  // What they were when this was asked for is what is changed: what somebody else changed meanwhile is refused.
  const edit = (change: FeaturePatch) =>
    run(
      chosen,
      async (card) => {
        const feature = await api.updateFeature(card.id, { ...change, expectVersion: card.version });
        rememberFeature(feature);
        putFeature(client, feature);
      },
      true,
    );

  return (
    <div className="pointer-events-none @container absolute inset-x-3 bottom-4 z-30 flex flex-col items-center gap-2">
      <NotDone />
      <div
        role="toolbar"
        aria-label={s.label(chosen.length)}
        data-bulk=""
        onKeyDown={along}
        className="pointer-events-auto flex max-w-full flex-wrap items-center gap-1 rounded-xl bg-raised p-1.5 pl-3 shadow-pop"
      >
        <span className="num mr-2 whitespace-nowrap font-medium text-sm">
          {board.selected(chosen.length)}
        </span>
        <Button
          size="sm"
          variant="primary"
          busy={busy}
          disabled={startable.length === 0}
          onClick={() =>
            run(startable, (card) =>
              act(client, card.id, card.status === "backlog" ? "start" : "retry", { quiet: true }),
            )
          }
        >
          <Play /> {s.start}{" "}
          {startable.length > 0 && startable.length < chosen.length ? startable.length : ""}
        </Button>
        <Menu
          side="top"
          trigger={
            <Button size="sm" variant="ghost" title={s.move} disabled={busy} className="pointer-coarse:h-9">
              <MoveRight aria-hidden /> <span className="@max-3xl:sr-only">{s.move}</span>
            </Button>
          }
        >
          {moves.length === 0 && <MenuLabel>{s.moveNone}</MenuLabel>}
          {moves.map((action) => (
            <MenuItem key={action} onClick={() => move(action)}>
              {t.action[action]}
            </MenuItem>
          ))}
        </Menu>
        <BulkEdit cards={chosen} busy={busy} onEdit={edit} />
        <Button
          size="sm"
          variant="ghost"
          title={s.remove}
          className="text-red hover:text-red pointer-coarse:h-9"
          disabled={busy || deletable.length === 0}
          onClick={() => store.set((state) => ({ ...state, deleting: deletable, refused: [] }))}
        >
          <Trash2 aria-hidden /> <span className="@max-3xl:sr-only">{s.remove}</span>
        </Button>
        <Button
          size="icon-sm"
          variant="ghost"
          aria-label={s.clear}
          className="pointer-coarse:size-9"
          onClick={() => store.set(clear)}
        >
          <X />
        </Button>
      </div>
    </div>
  );
}

/** For which cards it was not done, each with the reason. They stay selected. */
function NotDone() {
  const { store } = useBoardContext();
  const refused = store.usePart((state) => state.refused);
  const of = store.usePart((state) => state.of);
  if (refused.length === 0) return null;
  return (
    <div
      role="alert"
      className="pointer-events-auto flex max-h-60 w-full max-w-lg gap-2 overflow-y-auto rounded-xl bg-raised p-3 text-sm shadow-pop scroll-thin"
    >
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-red" />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{s.refused(refused.length, of)}</p>
        <ul className="mt-1 flex flex-col gap-1 text-muted">
          {refused.map(({ card, error }) => (
            <li key={card.id} className="break-words">
              <span className="text-ink">
                #{card.number} {card.title}
              </span>{" "}
              {sentence(error.detail)}
            </li>
          ))}
        </ul>
      </div>
      <Button
        size="icon-sm"
        variant="ghost"
        aria-label={s.dismiss}
        onClick={() => store.set((state) => ({ ...state, refused: [] }))}
      >
        <X />
      </Button>
    </div>
  );
}

/** The arrow keys lead along a bar of tools. */
function along(event: KeyboardEvent<HTMLElement>) {
  const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  const bar = event.currentTarget;
  if (by === 0 || !(event.target instanceof HTMLElement) || !bar.contains(event.target)) return;
  const buttons = [...bar.querySelectorAll<HTMLElement>("button:not(:disabled)")];
  const at = buttons.indexOf(event.target);
  if (at < 0) return;
  event.preventDefault();
  buttons[(at + by + buttons.length) % buttons.length]?.focus();
}
