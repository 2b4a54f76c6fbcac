import { CircleCheck, LoaderCircle, TriangleAlert } from "lucide-react";
import { useState } from "react";
import type { DiskReport, DiskStanding, Retention } from "@/api/types";
import { Section } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { cn } from "@/lib/cn";
import { bytes, count, percent } from "@/lib/format";
import { Time } from "@/lib/time";
import { headingOf, leadsTo, useRemove } from "./remove";
import { d } from "./strings";
import { shares, type Worktree } from "./sums";
import { WorkName } from "./work-name";

const COLORS = {
  worktrees: "bg-accent",
  caches: "bg-violet",
  repositories: "bg-blue",
  database: "bg-green",
  orphans: "bg-red",
  rest: "bg-line-strong",
} as const;

/** How full the disk is, and of what. */
export function DiskUse({ report, retention }: { report: DiskReport; retention: Retention | undefined }) {
  const parts = shares(report);
  const files = report.diskFiles;
  const disk = report.disk && report.disk.total > 0 ? report.disk : null;
  const limit = retention?.diskPercent ?? null;
  return (
    <Section id="use" title={d.use}>
      <div className="rounded-xl border border-line bg-surface p-4 shadow-card">
        <p className="mb-3 text-sm">
          {disk ? d.full(bytes(disk.used), bytes(disk.total), percent(disk.used / disk.total)) : d.noDisk}
          {disk && limit !== null && <span className="text-muted"> {d.above(limit)}</span>}
        </p>
        {files && (
          <p className="mb-3 text-muted text-sm">
            {d.files(count(files.used), count(files.total), percent(files.used / files.total))}
          </p>
        )}
        <div aria-hidden className="relative mb-4 flex h-3 overflow-hidden rounded-full bg-hover">
          {parts.map((part) => (
            <div
              key={part.kind}
              className={COLORS[part.kind]}
              style={{ width: `${part.share * 100}%`, minWidth: part.bytes > 0 ? "2px" : 0 }}
            />
          ))}
          {disk && limit !== null && (
            <div className="absolute inset-y-0 w-0.5 bg-ink" style={{ left: `${limit}%` }} />
          )}
        </div>
        <dl className="grid gap-x-8 gap-y-2 text-sm sm:grid-cols-2">
          {parts.map((part) => (
            <div key={part.kind} className="flex items-center gap-2">
              <span aria-hidden className={cn("size-2.5 shrink-0 rounded-full", COLORS[part.kind])} />
              <dt className="min-w-0 flex-1">
                {d.kind[part.kind]}
                {part.kind === "database" && report.bytes.databaseFree > 0 && (
                  <span className="block text-faint text-xs">{d.free(bytes(report.bytes.databaseFree))}</span>
                )}
              </dt>
              <dd className="num text-muted">{bytes(part.bytes)}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Section>
  );
}

/** What no clean-up can take away before somebody says what is to become of it: which work, and which file. */
export function Staying({ report }: { report: DiskReport }) {
  const staying = report.worktrees.filter((worktree) => worktree.unsaved);
  const [asking, setAsking] = useState<Worktree | null>(null);
  const giveUp = useRemove(d.givenUp);
  return (
    <>
      {staying.length > 0 && (
        <section
          aria-labelledby="staying-title"
          className="mb-7 flex gap-3 rounded-xl bg-amber-soft p-4 text-sm"
        >
          <TriangleAlert aria-hidden className="mt-0.5 size-5 shrink-0 text-amber" />
          <div className="min-w-0 flex-1">
            <h2 id="staying-title" tabIndex={-1} className="font-semibold outline-none">
              {d.staying}
            </h2>
            <p className="mt-1 text-muted">{d.stayingLead}</p>
            <ul className="mt-2 flex flex-col gap-1">
              {staying.map((worktree) => (
                <li key={worktree.runId} ref={leadsTo(headingOf("staying"))} className="break-words">
                  <WorkName worktree={worktree} />: {worktree.unsaved}
                  {worktree.over && (
                    <Button
                      size="sm"
                      className="ml-2"
                      aria-label={d.giveUpOf(worktree.title)}
                      onClick={() => setAsking(worktree)}
                    >
                      {d.giveUp}
                    </Button>
                  )}
                </li>
              ))}
            </ul>
          </div>
        </section>
      )}
      <Confirm
        open={asking !== null}
        onOpenChange={() => setAsking(null)}
        title={d.giveUpTitle}
        confirm={d.giveUp}
        danger
        focusWhenGone={headingOf("staying")}
        onConfirm={() => (asking === null ? undefined : giveUp.mutateAsync(`worktrees/${asking.runId}`))}
      >
        {d.giveUpText}
      </Confirm>
    </>
  );
}

/** How the clean-up goes. */
export function Standing({ standing }: { standing: DiskStanding }) {
  const { tidiness, measuring, report } = standing;
  const { stuckSince, runningSince, lastGoodAt, lastFault } = tidiness;
  const Icon = stuckSince ? TriangleAlert : runningSince ? LoaderCircle : CircleCheck;
  return (
    <section
      aria-live="polite"
      className={cn(
        "mb-7 flex gap-3 rounded-xl p-4 text-sm",
        stuckSince ? "bg-red-soft" : lastGoodAt || runningSince ? "bg-green-soft" : "bg-grey-soft",
      )}
    >
      <Icon aria-hidden className={cn("mt-0.5 size-5 shrink-0", stuckSince ? "text-red" : "text-green")} />
      <div className="min-w-0 flex-1">
        <p className={cn("font-semibold", stuckSince && "text-red")}>
          {stuckSince ? (
            <>
              {d.state.stuck} <Time at={stuckSince} />
            </>
          ) : runningSince ? (
            <>
              {d.state.running} <Time at={runningSince} />
            </>
          ) : lastGoodAt ? (
            <>
              {d.state.good}, <Time at={lastGoodAt} />
            </>
          ) : (
            d.state.never
          )}
        </p>
        {stuckSince && lastFault && (
          <p className="mt-1 break-words">
            {d.state.fault}: {lastFault.message}
          </p>
        )}
        {report && (
          <p className="mt-1 text-muted">
            {measuring ? (
              d.measuring
            ) : (
              <>
                {d.measured} <Time at={report.at} />
              </>
            )}
          </p>
        )}
      </div>
    </section>
  );
}
