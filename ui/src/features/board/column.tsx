import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronsLeft, ChevronsRight, Plus } from "lucide-react";
import { type ReactNode, useEffect, useImperativeHandle, useRef } from "react";
import type { FeatureCard } from "@/api/types";
import { StatusIcon } from "@/components/status";
import { Tooltip } from "@/components/ui/tooltip";
import { openEditor } from "@/features/editor/store";
import { cn } from "@/lib/cn";
import { count } from "@/lib/format";
import { BoardCard } from "./card";
import { type Column as ColumnInfo, moveTo } from "./columns";
import { dragging } from "./dragging";
import { useBoardContext } from "./state";

const GAP = 8;
const GUESS = 104;

export interface ColumnHandle {
  /** Brings a card into view, so that it can take the focus. */
  show: (index: number) => void;
  /** Before which card of the column a pointer is. */
  indexAt: (clientY: number, without: string) => number;
}

/** One column: a heading and a virtual list of cards. */
export function BoardColumn({
  column,
  cards,
  openId,
  collapsed,
  filtered,
  onCollapse,
  footer,
  ref,
}: {
  column: ColumnInfo;
  cards: FeatureCard[];
  openId: string | null;
  collapsed: boolean;
  /** Only what a filter lets through is shown. */
  filtered: boolean;
  onCollapse: (collapsed: boolean) => void;
  /** Below the cards. */
  footer?: ReactNode;
  ref: React.Ref<ColumnHandle>;
}) {
  const { store, projectId, mayBuild } = useBoardContext();
  const root = useRef<HTMLElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const moving = store.usePart((state) => state.moving);
  const over = moving?.over === column.id;
  const move = moving === null ? null : moveTo(moving.card, column.id);
  const takes = move?.kind === "action" || move?.kind === "reorder";

  const list = useVirtualizer({
    count: cards.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => GUESS,
    getItemKey: (index) => cards[index]?.id ?? index,
    gap: GAP,
    overscan: 6,
    paddingEnd: 12,
  });

  useImperativeHandle(
    ref,
    () => ({
      show: (index) => list.scrollToIndex(index, { align: "auto" }),
      indexAt: (clientY, without) => {
        let index = 0;
        const top = scroller.current?.getBoundingClientRect().top ?? 0;
        const y = clientY - top + (scroller.current?.scrollTop ?? 0);
        for (const item of list.measurementsCache) {
          if (item.key === without) continue;
          if (item.start + item.size / 2 > y) break;
          index += 1;
        }
        return index;
      },
    }),
    [list],
  );

  useEffect(() => {
    const element = root.current;
    if (element === null) return;
    return dragging(({ dropTargetForElements }) =>
      dropTargetForElements({
        element,
        getData: () => ({ column: column.id }),
        canDrop: ({ source }) => source.data.kind === "card",
      }),
    );
  }, [column.id]);

  const slim = collapsed && !(moving !== null && takes);
  // Where the card would land, as a line between two cards of the backlog.
  const others = moving === null ? cards : cards.filter((card) => card.id !== moving.card.id);
  const lineBefore = over && move?.kind === "reorder" ? (others[moving?.index ?? -1]?.id ?? "end") : null;

  if (slim) {
    return (
      <section
        ref={root}
        aria-labelledby={`column-${column.id}`}
        className="flex h-full w-9 shrink-0 flex-col"
      >
        <button
          type="button"
          onClick={() => onCollapse(false)}
          aria-expanded="false"
          className="flex min-h-0 flex-1 flex-col items-center gap-2 rounded-lg py-2 text-faint hover:bg-hover hover:text-ink"
        >
          <ChevronsRight aria-hidden className="size-4" />
          <span className="num text-xs">{count(cards.length)}</span>
          <span id={`column-${column.id}`} className="text-sm [writing-mode:vertical-rl]">
            {column.title}
          </span>
        </button>
      </section>
    );
  }

  return (
    <section
      ref={root}
      aria-labelledby={`column-${column.id}`}
      data-column={column.id}
      className={cn(
        "relative flex h-full min-w-[min(80vw,20rem)] max-w-100 flex-1 shrink-0 snap-center flex-col rounded-xl transition-colors duration-100 sm:min-w-48",
        over && takes && "bg-selected",
        moving !== null && !takes && move?.kind !== "none" && "opacity-50",
      )}
    >
      <header className="group/head flex h-9 shrink-0 items-center gap-2 px-2.5">
        <StatusIcon status={column.statuses[0] ?? "backlog"} className="size-4 animate-none" />
        <h2 id={`column-${column.id}`} className="truncate font-medium text-sm">
          {column.title}
        </h2>
        <span className="num text-faint text-xs" aria-live="polite">
          {count(cards.length)}
          <span className="sr-only"> {cards.length === 1 ? "card" : "cards"}</span>
        </span>
        <span className="ml-auto flex">
          <button
            type="button"
            aria-label={`Collapse ${column.title}`}
            aria-expanded="true"
            onClick={() => onCollapse(true)}
            className="rounded p-1 text-faint opacity-0 hover:bg-hover hover:text-ink focus-visible:opacity-100 group-hover/head:opacity-100 pointer-coarse:p-2.5 pointer-coarse:opacity-100"
          >
            <ChevronsLeft className="size-4" />
          </button>
          {column.id === "backlog" && mayBuild && (
            <Tooltip text="New card" keys="c">
              <button
                type="button"
                aria-label="New card"
                onClick={() => openEditor({ mode: "create", projectId })}
                className="rounded p-1 text-faint hover:bg-hover hover:text-ink pointer-coarse:p-2.5"
              >
                <Plus className="size-4" />
              </button>
            </Tooltip>
          )}
        </span>
      </header>
      {over && takes && move?.kind === "action" && (
        <div className="pointer-events-none absolute inset-x-2 top-10 z-20 flex justify-center">
          <span className="rounded-full bg-accent px-3 py-1 font-medium text-accent-ink text-xs shadow-lift">
            {move.verb}
          </span>
        </div>
      )}
      {over && move?.kind === "refused" && moving?.by === "keyboard" && (
        <p className="mx-2 mb-1 rounded-md bg-amber-soft px-2 py-1 text-amber text-xs">{move.why}</p>
      )}
      <div ref={scroller} className="min-h-0 flex-1 overflow-y-auto overflow-x-hidden px-1.5 scroll-thin">
        {cards.length === 0 ? (
          !footer && (
            <p className="px-2 py-6 text-center text-faint text-xs">
              {filtered ? "No card matches." : column.empty}
            </p>
          )
        ) : (
          <ul className="relative w-full" style={{ height: list.getTotalSize() }}>
            {list.getVirtualItems().map((item) => {
              const card = cards[item.index];
              if (card === undefined) return null;
              return (
                <li
                  key={item.key}
                  data-index={item.index}
                  ref={list.measureElement}
                  className="absolute inset-x-0 top-0 px-0.5 pt-0.5"
                  style={{ transform: `translateY(${item.start}px)` }}
                >
                  {lineBefore === card.id && <DropLine />}
                  <BoardCard card={card} open={openId === card.id} entry={item.index === 0} />
                </li>
              );
            })}
          </ul>
        )}
        {lineBefore === "end" && <DropLine end />}
        {footer}
      </div>
    </section>
  );
}

function DropLine({ end }: { end?: boolean }) {
  return (
    <div
      aria-hidden
      className={cn("z-20 h-0.5 rounded-full bg-accent", end ? "mx-1 -mt-2.5" : "absolute inset-x-1 -top-1")}
    />
  );
}
