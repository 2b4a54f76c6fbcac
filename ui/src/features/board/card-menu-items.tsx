import { useQueryClient } from "@tanstack/react-query";
import {
  ArrowDownToLine,
  ArrowUpToLine,
  CircleCheckBig,
  CircleStop,
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
import { MenuItem, MenuSeparator } from "@/components/ui/menu";
import { actionsFor, type FeatureAction, useFeatureAction } from "@/features/actions";
import { openEditor } from "@/features/editor/store";
import { t } from "@/strings";
import { pickUp } from "./carry";
import { arrange } from "./columns";
import { reorder } from "./moves";
import { useBoardContext } from "./state";

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

/** What can be done with one card. */
export default function Items({ card }: { card: FeatureCard }) {
  const client = useQueryClient();
  const { store, cards, mayBuild, open, select } = useBoardContext();
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
          <MenuItem icon={<SquareCheck />} shortcut="x" onClick={() => select(card.id)}>
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
