import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CircleCheck, CircleX, LoaderCircle, Play, Square } from "lucide-react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMay, useMe } from "@/api/queries";
import type { Trial as TrialOf, TriedCheck } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Badge, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Terminal } from "@/features/feature/live/Terminal";
import { cn } from "@/lib/cn";
import { duration, shortId } from "@/lib/format";
import { Elapsed, Time } from "@/lib/time";
import { settingsCalls } from "./calls";
import { w } from "./strings";

const TONE: Record<TrialOf["status"], Tone> = {
  running: "blue",
  passed: "green",
  failed: "red",
  stopped: "amber",
};
const LOOK = {
  running: [LoaderCircle, "animate-spin-slow text-blue"],
  passed: [CircleCheck, "text-green"],
  failed: [CircleX, "text-red"],
} as const;

/** Tries the checks on the default branch, and shows what they print while they run. */
export function Trial({
  projectId,
  lines,
  setUp,
  minutes,
  mayManage,
}: {
  projectId: string;
  lines: string[];
  /** What sets the worktree up first. */
  setUp: string[];
  minutes: number;
  mayManage: boolean;
}) {
  const client = useQueryClient();
  const trial = useQuery({
    queryKey: keys.trial(projectId),
    queryFn: ({ signal }) => settingsCalls.trial(projectId, signal),
    // No event tells of it: it is looked at while it goes on.
    refetchInterval: (query) => (query.state.data?.trial?.status === "running" ? 1_000 : false),
  }).data?.trial;
  const start = useMutation({
    mutationFn: () => settingsCalls.tryChecks(projectId, lines, setUp, minutes),
    onSuccess: (begun) => client.setQueryData(keys.trial(projectId), { trial: begun }),
  });
  const stop = useMutation({
    mutationFn: () => settingsCalls.stopTrial(projectId),
    onSettled: () => client.invalidateQueries({ queryKey: keys.trial(projectId) }),
  });
  const running = trial?.status === "running";
  const me = useMe().data?.id;
  const mayStop = useMay("administer") || trial?.memberId === me;
  const nothing = lines.length + setUp.length === 0;
  return (
    <div className="rounded-xl border border-line bg-surface p-4 shadow-card">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <div className="min-w-48 flex-1">
          <h3 className="font-medium text-sm">{w.trial.title}</h3>
          <p className="text-faint text-xs">{nothing ? w.trial.none : w.trial.lead}</p>
        </div>
        {mayManage && running && mayStop && (
          <Button size="sm" busy={stop.isPending} onClick={() => stop.mutate()}>
            <Square /> {w.trial.stop}
          </Button>
        )}
        {mayManage && (
          <Button
            size="sm"
            busy={start.isPending || running}
            disabled={nothing || !(minutes >= 1)}
            onClick={() => start.mutate()}
          >
            <Play /> {trial ? w.trial.again : w.trial.start}
          </Button>
        )}
      </div>
      <FormError error={start.error === null ? null : asApiError(start.error)} />
      <FormError error={stop.error === null ? null : asApiError(stop.error)} />
      {trial && (
        <div className="mt-3 flex flex-col gap-3 border-line border-t pt-3">
          <p role="status" className="flex flex-wrap items-center gap-2 text-faint text-xs">
            <Badge tone={TONE[trial.status]}>{w.trial.status[trial.status]}</Badge>
            <span>
              {w.trial.on} <code>{shortId(trial.commitId)}</code>
            </span>
            <Time at={trial.startedAt} />
          </p>
          {trial.problem !== null && <p className="text-amber text-sm">{trial.problem}</p>}
          {trial.checks.map((check, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a command is what stands at its place.
            <One key={at} check={check} />
          ))}
        </div>
      )}
    </div>
  );
}

function One({ check }: { check: TriedCheck }) {
  const [Icon, tone] = LOOK[check.status];
  return (
    <div className="flex flex-col gap-1.5">
      <p className="flex items-center gap-2 text-xs">
        <Icon aria-hidden className={cn("size-4 shrink-0", tone)} />
        <code className="min-w-0 flex-1 truncate" title={check.command}>
          {check.command}
        </code>
        {check.kind === "set-up" && <Badge>{w.trial.setUp}</Badge>}
        <span className="sr-only">{w.trial.check[check.status]}</span>
        <span className="num text-faint">
          {check.endedAt === null ? (
            <Elapsed since={check.startedAt} />
          ) : (
            duration(Date.parse(check.endedAt) - Date.parse(check.startedAt))
          )}
        </span>
      </p>
      {check.output.trim() === "" ? (
        <p className="pl-6 text-faint text-xs">{check.status === "running" ? "" : w.trial.noOutput}</p>
      ) : (
        <Terminal text={check.output} live={check.status === "running"} label={check.command} />
      )}
    </div>
  );
}
