import { useQueryClient } from "@tanstack/react-query";
import {
  ArrowDownToLine,
  ArrowUpToLine,
  CircleCheckBig,
  CircleStop,
  Ellipsis,
  ExternalLink,
  GitMerge,
  Move,
  Pencil,
  Play,
  RotateCcw,
  SquareCheck,
  Trash2,
  Undo2,
} from "lucide-react";
import type { ReactNode } from "react";
import type { FeatureCard } from "@/api/types";
import { Menu, MenuItem, MenuSeparator } from "@/components/ui/menu";
import { actionsFor, type FeatureAction, useFeatureAction } from "@/features/actions";
import { openEditor } from "@/features/editor/store";
import { t } from "@/strings";
import { arrange } from "./columns";
import { pickUp, reorder } from "./moves";
import { toggle, useBoardContext } from "./state";

const LOOK: Record<
  Exclude<FeatureAction, "delete">,
  { icon: ReactNode; label: string; shortcut?: string }
> = {
  start: { icon: <Play />, label: t.action.start, shortcut: "s" },
  retry: { icon: <RotateCcw />, label: t.action.retry, shortcut: "s" },
  stop: { icon: <CircleStop />, label: t.action.stop },
  verify: { icon: <CircleCheckBig />, label: t.action.verify },
  merge: { icon: <GitMerge />, label: t.action.merge },
  shelve: { icon: <Undo2 />, label: t.action.shelve },
};

/** Everything that can be done with one card. */
export function CardMenu({ card, tabIndex }: { card: FeatureCard; tabIndex: number }) {
  return (
    <Menu
      align="end"
      trigger={
        <button
          type="button"
          tabIndex={tabIndex}
          aria-label={`More about #${card.number}`}
          className="relative z-10 -mr-1 rounded p-0.5 text-faint pointer-coarse:-my-2 pointer-coarse:-mr-2 pointer-coarse:p-2.5 pointer-coarse:opacity-100 hover:bg-hover hover:text-ink focus-visible:opacity-100 data-popup-open:opacity-100 md:opacity-0 md:group-hover/card:opacity-100"
        >
          <Ellipsis className="size-4" />
        </button>
      }
    >
      <Items card={card} />
    </Menu>
  );
}

function Items({ card }: { card: FeatureCard }) {
  const client = useQueryClient();
  const { store, cards, mayBuild, open } = useBoardContext();
  // Not only what a filter lets through: the top is the top of all.
  const backlog = () => arrange([...cards.values()]).backlog;
  const move = (index: number) => void reorder(client, card, index, backlog());
  const does = {
    start: useFeatureAction("start"),
    retry: useFeatureAction("retry"),
    stop: useFeatureAction("stop"),
    verify: useFeatureAction("verify"),
    shelve: useFeatureAction("shelve"),
  };
  return (
    <>
      <MenuItem icon={<ExternalLink />} shortcut="enter" onClick={() => open(card.id)}>
        {t.action.open}
      </MenuItem>
      {mayBuild && (
        <>
          <MenuItem
            icon={<Pencil />}
            shortcut="e"
            onClick={() => openEditor({ mode: "edit", featureId: card.id })}
          >
            {t.action.edit}
          </MenuItem>
          <MenuItem
            icon={<SquareCheck />}
            shortcut="x"
            onClick={() => store.set((state) => ({ ...state, selected: toggle(state.selected, card.id) }))}
          >
            Select
          </MenuItem>
          <MenuItem
            icon={<Move />}
            shortcut="m"
            className="pointer-coarse:hidden"
            onClick={() => pickUp(store, card)}
          >
            Move with the arrow keys
          </MenuItem>
          {card.status === "backlog" && (
            <>
              <MenuItem icon={<ArrowUpToLine />} onClick={() => move(0)}>
                Move to the top
              </MenuItem>
              <MenuItem icon={<ArrowDownToLine />} onClick={() => move(backlog().length - 1)}>
                Move to the bottom
              </MenuItem>
            </>
          )}
          <MenuSeparator />
          {actionsFor(card).map((action) => {
            if (action === "delete") return null;
            const look = LOOK[action];
            const label =
              action === "start" && card.status !== "backlog"
                ? t.action.restart
                : action === "retry" && card.status === "paused"
                  ? t.action.resume
                  : look.label;
            return (
              <MenuItem
                key={action}
                icon={look.icon}
                {...(look.shortcut && label !== t.action.restart ? { shortcut: look.shortcut } : {})}
                onClick={() =>
                  action === "merge"
                    ? store.set((state) => ({ ...state, merging: card }))
                    : does[action].mutate({ id: card.id })
                }
              >
                {label}
              </MenuItem>
            );
          })}
          {actionsFor(card).includes("delete") && (
            <>
              <MenuSeparator />
              <MenuItem
                icon={<Trash2 />}
                danger
                onClick={() => store.set((state) => ({ ...state, deleting: [card] }))}
              >
                {t.action.remove}
              </MenuItem>
            </>
          )}
        </>
      )}
    </>
  );
}
