import {
  CircleAlert,
  CircleCheck,
  CircleStop,
  Hourglass,
  LoaderCircle,
  Lock,
  type LucideIcon,
} from "lucide-react";
import { useMembers } from "@/api/queries";
import type { FeatureText, Run, RunStatus } from "@/api/types";
import { Avatar } from "@/components/ui/avatar";
import { Badge } from "@/components/ui/badge";
import { Skeleton } from "@/components/ui/skeleton";
import { cn } from "@/lib/cn";
import { money, shortCount } from "@/lib/format";
import { Elapsed, Time } from "@/lib/time";
import { totalTokens, useModelName } from "../header/Facts";
import { keyWords } from "../key";
import type { Place } from "../place";
import { s } from "../strings";
import { givenTo } from "./texts";

const LOOK: Record<RunStatus, [LucideIcon, string]> = {
  queued: [Hourglass, "text-blue"],
  running: [LoaderCircle, "animate-spin-slow text-blue"],
  waiting: [CircleCheck, "text-green"],
  stopped: [CircleStop, "text-muted"],
  failed: [CircleAlert, "text-red"],
  closed: [Lock, "text-faint"],
};

/** Every run of the feature; choosing one shows what happened in it. */
export function Runs({
  runs,
  texts,
  go,
}: {
  runs: Run[] | undefined;
  /** What the card said, the latest first. */
  texts: readonly FeatureText[];
  go: (place: Place, options?: { push?: boolean }) => void;
}) {
  if (runs === undefined) return <Skeleton className="h-12 rounded-xl" />;
  if (runs.length === 0) return <p className="text-faint text-sm">{s.overview.noRuns}</p>;
  return (
    <ul className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
      {runs.map((run, at) => (
        <li key={run.id} className="border-line border-b last:border-b-0">
          <button
            type="button"
            onClick={() =>
              go({ tab: "live", run: at === 0 ? undefined : run.id, turn: undefined }, { push: true })
            }
            className="-outline-offset-2 flex w-full flex-col gap-0.5 px-3 py-2 text-left hover:bg-hover"
          >
            <One run={run} latest={at === 0} text={texts.length > 1 ? givenTo(run, texts) : undefined} />
          </button>
        </li>
      ))}
    </ul>
  );
}

function One({ run, latest, text }: { run: Run; latest: boolean; text: number | undefined }) {
  const member = useMembers().data?.find((entry) => entry.id === run.memberId);
  const model = useModelName(run.model) ?? run.model;
  const [Icon, tone] = LOOK[run.status];
  return (
    <>
      <span className="flex w-full items-center gap-2 text-sm">
        <Icon aria-hidden className={cn("size-4 shrink-0", tone)} />
        <span className="font-medium">{s.live.status[run.status]}</span>
        {latest && <Badge tone="outline">{s.overview.current}</Badge>}
        <span className="flex-1" />
        {member && <Avatar name={member.name} id={member.id} picture={member.avatar} size="sm" />}
        <Time at={run.createdAt} className="text-faint text-xs" />
      </span>
      <span className="num flex w-full flex-wrap gap-x-3 pl-6 text-faint text-xs">
        <span>{model}</span>
        {run.keySource && <span>{keyWords(run.keySource, run.keyProvider, run.keyHint)}</span>}
        <span>{s.live.turns(run.turns)}</span>
        {run.attempt > 1 && <span>{s.overview.attempts(run.attempt)}</span>}
        <span>
          {shortCount(totalTokens(run.usage))} · {money(run.costMicros)}
        </span>
        {run.startedAt && (
          <Elapsed
            since={run.startedAt}
            until={run.status === "running" || run.status === "queued" ? null : run.endedAt}
          />
        )}
        {text !== undefined && <span>{s.overview.texts.given(text)}</span>}
        {run.baseCommit && <code>{run.branch}</code>}
      </span>
      {run.error && (
        <span className="pl-6 text-red text-xs [overflow-wrap:anywhere]">{run.error.message}</span>
      )}
    </>
  );
}
