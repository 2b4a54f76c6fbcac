import { ChevronDown, CircleAlert, LoaderCircle } from "lucide-react";
import { useState } from "react";
import { useModels } from "@/api/queries";
import type { Run } from "@/api/types";
import { Tooltip } from "@/components/ui/tooltip";
import { cn } from "@/lib/cn";
import { count, money, shortCount, timeOfDay } from "@/lib/format";
import { Elapsed } from "@/lib/time";
import { stage } from "@/strings";
import { totalTokens } from "../header/Facts";
import { s } from "../strings";
import { Countdown } from "./Divider";
import { Bar, TaskList } from "./Plan";
import { wordsOf } from "./rows";
import type { Activity } from "./stream";

/** How far the run is, what it is at, and what it takes; stays in sight above the timeline. */
export function ProgressLine({
  run,
  activity,
  failures,
  onFailure,
}: {
  run: Run;
  activity: Activity;
  failures: number;
  onFailure: () => void;
}) {
  const [open, setOpen] = useState(false);
  const running = run.status === "running";
  const done = run.plan.filter((task) => task.status === "completed").length;
  const planned = run.status === "waiting" && run.approval === "awaited";
  const words = running ? wordsOf(activity) : planned ? stage("plan_approval") : s.live.status[run.status];
  return (
    <div className="border-line border-b bg-canvas">
      <div className="flex h-9 items-center gap-3 px-4 text-xs">
        <span className="flex min-w-0 flex-1 items-center gap-2">
          {running && (
            <LoaderCircle aria-hidden className="size-3.5 shrink-0 animate-spin-slow text-accent-text" />
          )}
          <span className="min-w-0 truncate" title={words}>
            {words}
          </span>
          {running && activity.kind === "waiting" && (
            <span className="shrink-0 text-amber">
              {s.live.waits(timeOfDay(activity.until))} <Countdown until={activity.until} />
            </span>
          )}
        </span>
        {run.plan.length > 0 && (
          <button
            type="button"
            aria-expanded={open}
            title={open ? s.live.hidePlan : s.live.showPlan}
            onClick={() => setOpen(!open)}
            className="-mx-1 flex h-7 shrink-0 items-center gap-2 rounded-md px-1.5 text-muted hover:bg-hover hover:text-ink"
          >
            <Bar done={done} all={run.plan.length} className="w-12 @md:w-20" />
            <span className="num">
              <span className="@lg:hidden" aria-hidden>
                {done}/{run.plan.length}
              </span>
              <span className="sr-only @lg:not-sr-only">{s.live.tasks(done, run.plan.length)}</span>
            </span>
            <ChevronDown aria-hidden className={cn("size-3.5 transition-transform", open && "rotate-180")} />
          </button>
        )}
        {failures > 0 && (
          <Tooltip text={s.live.jumpFailure}>
            <button
              type="button"
              onClick={onFailure}
              className="flex h-6 shrink-0 items-center gap-1 rounded-md px-1.5 text-red hover:bg-red-soft"
            >
              <CircleAlert aria-hidden className="size-3.5" />
              <span className="num">{failures}</span>
              <span className="sr-only @md:not-sr-only">
                {s.live.failures(failures).replace(/^\S+ /, "")}
              </span>
            </button>
          </Tooltip>
        )}
        <Figures run={run} />
      </div>
      {open && run.plan.length > 0 && (
        <section
          aria-label={s.live.plan}
          className="max-h-64 overflow-y-auto border-line border-t px-4 py-2 scroll-thin"
        >
          <TaskList tasks={run.plan} />
        </section>
      )}
    </div>
  );
}

function Figures({ run }: { run: Run }) {
  const window = useModels().data?.items.find((model) => model.id === run.model)?.contextWindow;
  const { usage } = run;
  const input = usage.inputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
  const context = window && run.contextTokens > 0 ? Math.round((100 * run.contextTokens) / window) : null;
  const cached = input === 0 ? null : Math.round((100 * usage.cacheReadTokens) / input);
  return (
    <span className="num flex shrink-0 items-center gap-3 text-faint">
      {context !== null && window && (
        <Tooltip text={`${s.live.context}: ${count(run.contextTokens)} / ${count(window)}`}>
          <span className="hidden items-center gap-1.5 @xl:flex">
            <Ring share={run.contextTokens / window} />
            {context < 1 ? "< 1" : context}%
          </span>
        </Tooltip>
      )}
      {cached !== null && (
        <Tooltip text={s.live.cached}>
          <span className="hidden @2xl:inline">{s.live.cacheShare(cached)}</span>
        </Tooltip>
      )}
      <span className="hidden @3xl:inline">
        {s.live.turns(run.turns)} · {shortCount(totalTokens(usage))} · {money(run.costMicros)}
      </span>
      {run.startedAt && (run.status === "running" || run.endedAt) && (
        <Elapsed since={run.startedAt} until={run.status === "running" ? null : run.endedAt} />
      )}
    </span>
  );
}

/** A share of a whole, as a ring. */
function Ring({ share }: { share: number }) {
  const around = 2 * Math.PI * 5;
  return (
    <svg viewBox="0 0 14 14" aria-hidden="true" className="-rotate-90 size-3.5">
      <circle cx="7" cy="7" r="5" fill="none" stroke="var(--line-strong)" strokeWidth="2.5" />
      <circle
        cx="7"
        cy="7"
        r="5"
        fill="none"
        stroke={share > 0.8 ? "var(--amber)" : "var(--accent)"}
        strokeWidth="2.5"
        strokeDasharray={`${Math.min(1, share) * around} ${around}`}
      />
    </svg>
  );
}
