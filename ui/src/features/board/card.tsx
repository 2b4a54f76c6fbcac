import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check, CircleAlert, Link2, Moon, Play, RotateCcw, Search } from "lucide-react";
import { lazy, memo, Suspense, useEffect, useRef } from "react";
import { queries, useMe } from "@/api/queries";
import type { FeatureCard, Told } from "@/api/types";
import { DiffSize } from "@/components/diff-size";
import { PriorityIcon } from "@/components/priority";
import { TaskLine } from "@/components/progress";
import { StatusIcon } from "@/components/status";
import { Tooltip } from "@/components/ui/tooltip";
import { planWaits, useFeatureAction } from "@/features/actions";
import { isOf } from "@/features/attention";
import { reason } from "@/features/auto/moment";
import { useRefused } from "@/features/refused";
import { KeyLink } from "@/features/settings/keys/key-link";
import { cn } from "@/lib/cn";
import { exactMoney, money, sentence } from "@/lib/format";
import { lazyOrNothing } from "@/lib/lazy-or-nothing";
import { Elapsed, Time } from "@/lib/time";
import * as words from "@/strings";
import { CardMenu } from "./card-menu";
import { dragging } from "./dragging";
import { clear } from "./selection";
import { goneDependencies, openDependencies, useBoardContext } from "./state";
import { board as s } from "./strings";

const AgentName = lazy(() => import("@/features/library/agent-name"));
const MemberName = lazyOrNothing(() => import("./member-name"));

/** One card on the board. The title is the link that opens it; everything else on it lies above that link. */
export const BoardCard = memo(function BoardCard({
  card,
  open,
  entry,
}: {
  card: FeatureCard;
  open: boolean;
  /** The Tab key enters the column here. */
  entry: boolean;
}) {
  const { store, mayBuild, projectId, within, select } = useBoardContext();
  const element = useRef<HTMLDivElement>(null);
  const current = store.usePart((state) => state.current === card.id);
  const selected = store.usePart((state) => state.selected.has(card.id));
  const selecting = store.usePart((state) => state.selected.size > 0);
  const lifted = store.usePart((state) => state.moving?.card.id === card.id);
  const me = useMe().data?.id;

  useEffect(() => {
    const dragged = element.current;
    if (dragged === null || !mayBuild) return;
    return dragging(({ draggable }) =>
      draggable({ element: dragged, getInitialData: () => ({ kind: "card", id: card.id }) }),
    );
  }, [card.id, mayBuild]);

  return (
    <div
      ref={element}
      data-card={card.id}
      className={cn(
        "group/card relative rounded-lg border bg-surface p-2.5 text-sm shadow-card transition-[border-color,box-shadow,opacity] duration-100",
        "has-[[data-card-link]:focus-visible]:outline-2 has-[[data-card-link]:focus-visible]:outline-ring",
        open ? "border-accent" : selected ? "border-accent" : "border-line hover:border-line-strong",
        selected && "bg-[color-mix(in_oklab,var(--surface),var(--accent)_8%)]",
        lifted && "opacity-45 shadow-none",
        card.status === "failed" && !open && !selected && "border-red/45",
      )}
    >
      <div className="flex h-5 items-center gap-1.5 text-faint text-xs">
        {mayBuild && (
          <label
            className={cn(
              "relative z-10 -mr-5.5 flex size-4 shrink-0 items-center justify-center rounded border transition-opacity has-focus-visible:outline-2 has-focus-visible:outline-ring pointer-coarse:mr-0 pointer-coarse:size-5 pointer-coarse:opacity-100",
              selected ? "border-accent bg-accent text-accent-ink" : "border-line-strong bg-surface",
              selecting || selected
                ? "mr-0 opacity-100"
                : "opacity-0 has-focus-visible:mr-0 has-focus-visible:opacity-100 group-hover/card:mr-0 group-hover/card:opacity-100",
            )}
          >
            <input
              type="checkbox"
              // A finger needs more room than the box takes.
              className="absolute inset-0 cursor-default opacity-0 pointer-coarse:-inset-2"
              aria-label={`Select #${card.number} ${card.title}`}
              checked={selected}
              tabIndex={current ? 0 : -1}
              onFocus={() => {
                if (store.get().current !== card.id) store.set((state) => ({ ...state, current: card.id }));
              }}
              onKeyDown={(event) => {
                if (event.key !== "Escape") return;
                event.preventDefault();
                store.set(clear);
              }}
              onChange={({ nativeEvent }) =>
                select(card.id, nativeEvent instanceof MouseEvent && nativeEvent.shiftKey)
              }
            />
            {selected && <Check aria-hidden className="size-3" strokeWidth={3} />}
          </label>
        )}
        <span className="num shrink-0">#{card.number}</span>
        <PriorityIcon priority={card.priority} className="size-3.5 shrink-0" />
        {card.category && <span className="min-w-0 truncate">{card.category}</span>}
        {card.agentId && (
          <Suspense fallback={null}>
            <AgentName id={card.agentId} />
          </Suspense>
        )}
        {me !== undefined && (card.startedBy ?? card.createdBy) !== me && (
          <Suspense fallback={null}>
            <MemberName card={card} />
          </Suspense>
        )}
        <span className="ml-auto flex shrink-0 items-center">
          {mayBuild && <QuickAction card={card} />}
          <CardMenu card={card} tabIndex={current ? 0 : -1} />
        </span>
      </div>
      <h3 dir="auto" className="mt-0.5 line-clamp-3 break-words font-medium leading-5">
        <Link
          to="/p/$projectId"
          params={{ projectId }}
          search={(search) => ({ ...search, f: card.id })}
          data-card-link=""
          draggable={false}
          // Not by the pointer: whoever opens it by a key goes on in what opens.
          onClick={(event) => event.detail === 0 && store.set((state) => ({ ...state, entered: card.id }))}
          tabIndex={current || entry ? 0 : -1}
          onFocus={() => {
            if (store.get().current !== card.id) store.set((state) => ({ ...state, current: card.id }));
          }}
          className="outline-none after:absolute after:inset-0 after:rounded-lg"
          aria-describedby={`${card.id}-facts`}
        >
          {card.title}
        </Link>
      </h3>
      <div id={`${card.id}-facts`}>
        {within.has(card.id) && (
          <p className="mt-1 flex items-center gap-1.5 text-accent-text text-xs">
            <Search aria-hidden className="size-3.5 shrink-0" /> {s.within}
          </p>
        )}
        <Facts card={card} />
      </div>
    </div>
  );
});

function QuickAction({ card }: { card: FeatureCard }) {
  const start = useFeatureAction("start");
  const retry = useFeatureAction("retry");
  const again = card.status === "failed" || card.status === "paused";
  if (card.status !== "backlog" && !again) return null;
  const label = again
    ? card.status === "failed"
      ? words.t.action.retry
      : words.t.action.resume
    : words.t.action.start;
  return (
    <Tooltip text={label} keys="s">
      <button
        type="button"
        tabIndex={-1}
        aria-label={`${label} #${card.number}`}
        onClick={() => (again ? retry : start).mutate({ id: card.id })}
        className="relative z-10 hidden rounded p-0.5 text-faint opacity-0 hover:bg-hover hover:text-accent-text group-hover/card:opacity-100 md:block"
      >
        {again ? <RotateCcw className="size-4" /> : <Play className="size-4" />}
      </button>
    </Tooltip>
  );
}

/** What is to be known of a card at a glance, by where it stands. */
function Facts({ card }: { card: FeatureCard }) {
  const plan = planWaits(card);
  const mine = isOf(card, useMe().data?.id);
  const working = card.status === "in_progress" && !plan;
  const [from, until] = [card.startedAt, working ? null : card.finishedAt];
  return (
    <>
      {working && (
        <div className="mt-2 flex flex-col gap-1.5">
          <div className="flex items-center gap-1.5 text-blue text-xs">
            <StatusIcon status="in_progress" className="size-3.5" />
            <span className="flex-1 truncate">
              {card.stage ? words.stage(card.stage) : words.status.in_progress}
            </span>
            {card.tasksTotal > 0 && (
              <span className="num text-muted">
                {card.tasksDone}/{card.tasksTotal}
              </span>
            )}
          </div>
          <TaskLine done={card.tasksDone} total={card.tasksTotal} />
        </div>
      )}
      {plan && (
        <p className="mt-1.5 flex items-center gap-1.5 text-amber text-xs">
          <StatusIcon status="waiting_approval" className="size-3.5" />
          {mine ? "Its plan waits for you" : "Its plan waits to be approved"}
        </p>
      )}
      {card.status === "queued" && (
        <p className="mt-1.5 flex items-start gap-1.5 text-blue text-xs">
          <StatusIcon status="queued" className="mt-px size-3.5" /> <WhyQueued card={card} />
        </p>
      )}
      {card.status === "paused" && (
        <p className="mt-1.5 flex items-start gap-1.5 text-muted text-xs">
          <StatusIcon status="paused" className="mt-px size-3.5" />
          <WhyPaused card={card} />
        </p>
      )}
      <Refused card={card} />
      {card.error && card.status !== "paused" && (
        <p
          className={cn(
            "mt-1.5 flex items-start gap-1.5 text-xs",
            card.status === "failed" ? "text-red" : "text-amber",
          )}
        >
          <CircleAlert aria-hidden className="mt-px size-3.5 shrink-0" />
          <span className="min-w-0">
            <span dir="auto" className="line-clamp-3 break-words" title={card.error.hint}>
              {card.error.message}
            </span>
            <KeyLink code={card.error.code} />
          </span>
        </p>
      )}
      {card.status === "backlog" && <WaitsFor card={card} />}
      <div className="mt-2 flex min-h-4 flex-wrap items-center gap-x-2.5 gap-y-0.5 text-faint text-xs empty:hidden">
        {from !== null ? (
          <span className="num" title="Time at work">
            {working || until !== null ? <Elapsed since={from} until={until} /> : null}
          </span>
        ) : (
          <Time at={card.createdAt} />
        )}
        {card.costMicros > 0 && (
          <span className="num" title={exactMoney(card.costMicros)}>
            {money(card.costMicros)}
          </span>
        )}
        <DiffSize
          files={card.filesChanged}
          added={card.linesAdded}
          removed={card.linesRemoved}
          className="ml-auto text-[0.6875rem]"
        />
      </div>
    </>
  );
}

/** Why the server would not begin with it when it was last asked to. */
function Refused({ card }: { card: FeatureCard }) {
  const refused = useRefused(card.id);
  const rests = card.status === "backlog" || card.status === "failed" || card.status === "paused";
  if (refused === undefined || !rests) return null;
  return (
    <p className="mt-1.5 flex items-start gap-1.5 text-amber text-xs">
      <CircleAlert aria-hidden className="mt-px size-3.5 shrink-0" />
      <span className="min-w-0">
        <span className="line-clamp-4 break-words">{sentence(refused.detail)}</span>
        <KeyLink code={refused.code} />
      </span>
    </p>
  );
}

/** What the server says of why a card waits. */
function useWaiting(card: FeatureCard): Told | undefined {
  const { projectId } = useBoardContext();
  return useQuery({
    ...queries.queue(projectId),
    select: (items) => items.find((item) => item.featureId === card.id)?.waiting,
  }).data;
}

function WhyQueued({ card }: { card: FeatureCard }) {
  const waiting = useWaiting(card);
  return (
    <span className="line-clamp-3 break-words">{waiting ? reason(waiting) : "Waits for a free place"}</span>
  );
}

function WhyPaused({ card }: { card: FeatureCard }) {
  // What was stopped with auto mode waits for that.
  const waiting = useWaiting(card);
  const why = card.error?.message ?? (waiting ? reason(waiting) : words.status.paused);
  return <span className="line-clamp-3 break-words">{why}</span>;
}

function WaitsFor({ card }: { card: FeatureCard }) {
  const { cards } = useBoardContext();
  const waiting = useWaiting(card);
  const open = openDependencies(card, cards);
  const gone = goneDependencies(card, cards);
  if (gone > 0) {
    return (
      <p className="mt-1.5 flex items-start gap-1.5 text-amber text-xs">
        <Link2 aria-hidden className="mt-px size-3.5 shrink-0" />
        <span className="line-clamp-3 break-words">
          Depends on {gone === 1 ? "a card" : `${gone} cards`} that {gone === 1 ? "was" : "were"} deleted.
          Take the dependency off.
        </span>
      </p>
    );
  }
  // What it lacks comes before what it waits for: that goes by itself.
  if (waiting !== undefined && (open.length === 0 || waiting.code === "hindered")) {
    return (
      <p className="mt-1.5 flex items-start gap-1.5 text-muted text-xs">
        <Moon aria-hidden className="mt-px size-3.5 shrink-0" />
        <span className="line-clamp-3 break-words">{reason(waiting)}</span>
      </p>
    );
  }
  if (open.length === 0) return null;
  return (
    <p className="mt-1.5 flex items-center gap-1.5 text-muted text-xs">
      <Link2 aria-hidden className="size-3.5 shrink-0" />
      <span className="truncate" title={open.map((entry) => `#${entry.number} ${entry.title}`).join("\n")}>
        Waits for {open.map((entry) => `#${entry.number}`).join(", ")}
      </span>
    </p>
  );
}
