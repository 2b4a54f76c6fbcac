import { Link } from "@tanstack/react-router";
import {
  ChevronRight,
  CircleCheck,
  CircleDashed,
  CircleX,
  LoaderCircle,
  Settings2,
  ShieldCheck,
} from "lucide-react";
import { use, useMemo, useState } from "react";
import { isLost } from "@/api/error";
import { useChecks, useProject } from "@/api/queries";
import type { Check, Feature, Run } from "@/api/types";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { useFeatureAction } from "@/features/actions";
import { cn } from "@/lib/cn";
import { duration, shortId } from "@/lib/format";
import { Elapsed, Time } from "@/lib/time";
import { useLiveOutput } from "@/live/output";
import { Level } from "../level";
import { Terminal } from "../live/Terminal";
import { s } from "../strings";
import { Pipeline, useSteps } from "./Pipeline";
import { type Round, roundsOf, setUpOf } from "./rounds";

/** The project's own commands, and what each of them said. */
export function ChecksTab({
  feature,
  run,
  mayBuild,
}: {
  feature: Feature;
  run: Run | undefined;
  mayBuild: boolean;
}) {
  const checks = useChecks(run?.id);
  const project = useProject(feature.projectId).data;
  const rounds = useMemo(() => roundsOf(checks.data ?? []), [checks.data]);
  const setUp = useMemo(() => setUpOf(checks.data ?? []), [checks.data]);
  const passed = (useSteps(run?.id).data ?? []).length > 0 || setUp.length > 0;
  const commands = project?.settings.verifyCommands;
  const Heading = use(Level);
  const [latest, ...earlier] = rounds;

  if (run !== undefined && checks.isPending) {
    return (
      <div role="status" className="mx-auto flex max-w-4xl flex-col gap-2 p-4">
        <Skeleton className="h-11 rounded-lg" />
        <Skeleton className="h-11 rounded-lg" />
      </div>
    );
  }
  if (isLost(checks)) return <ErrorState error={checks.error} onRetry={() => void checks.refetch()} />;
  if (latest === undefined) {
    const none = <None feature={feature} commands={commands} mayBuild={mayBuild} />;
    if (!passed) return none;
    return (
      <div className="h-full overflow-y-auto scroll-thin">
        <div className="mx-auto max-w-4xl p-4 @3xl:px-6">
          <SetUp checks={setUp} />
          <Pipeline run={run} />
          {none}
        </div>
      </div>
    );
  }
  const notRun = (commands ?? []).filter((command) =>
    latest.checks.every((check) => check.command !== command),
  );
  const halted = latest.checks.some((check) => check.status === "failed");
  return (
    <div className="h-full overflow-y-auto scroll-thin">
      <div className="mx-auto flex max-w-4xl flex-col gap-5 p-4 @3xl:px-6">
        <SetUp checks={setUp} />
        <Pipeline run={run} />
        <section className="flex flex-col gap-2">
          <RoundHead round={latest} />
          <List round={latest} />
          {halted && notRun.length > 0 && (
            <ul className="flex flex-col gap-1 text-faint text-xs">
              {notRun.map((command) => (
                <li key={command} className="flex items-center gap-2 px-3">
                  <CircleDashed aria-hidden className="size-4" />
                  <code className="truncate">{command}</code>
                  <span>{s.checks.notRun}</span>
                </li>
              ))}
            </ul>
          )}
        </section>
        {earlier.length > 0 && (
          <section className="flex flex-col gap-4">
            <Heading className="font-medium text-faint text-xs">{s.checks.earlier}</Heading>
            {earlier.map((round) => (
              <div key={round.key} className="flex flex-col gap-2">
                <RoundHead round={round} />
                <List round={round} folded />
              </div>
            ))}
          </section>
        )}
      </div>
    </div>
  );
}

function None({
  feature,
  commands,
  mayBuild,
}: {
  feature: Feature;
  commands: string[] | undefined;
  mayBuild: boolean;
}) {
  const verify = useFeatureAction("verify");
  if (commands === undefined) return null;
  const settings = (
    <Button render={<Link to="/p/$projectId/settings" params={{ projectId: feature.projectId }} />}>
      <Settings2 /> {s.checks.configure}
    </Button>
  );
  if (commands.length === 0) {
    return (
      <Empty icon={<ShieldCheck />} title={s.checks.unset} action={settings}>
        {s.checks.unsetText}
      </Empty>
    );
  }
  return (
    <Empty
      icon={<ShieldCheck />}
      title={s.checks.none}
      action={
        feature.status === "waiting_approval" && mayBuild ? (
          <Button variant="primary" busy={verify.isPending} onClick={() => verify.mutate({ id: feature.id })}>
            {s.checks.run}
          </Button>
        ) : (
          settings
        )
      }
    >
      <p>{feature.skipVerification ? s.checks.skipped : s.checks.noneText}</p>
      <ul className="mt-3 flex flex-col items-center gap-1">
        {commands.map((command) => (
          <li key={command}>
            <code className="rounded bg-grey-soft px-1.5 py-0.5 text-xs">{command}</code>
          </li>
        ))}
      </ul>
    </Empty>
  );
}

/** What made the worktree ready. */
function SetUp({ checks }: { checks: Check[] }) {
  const [first] = checks;
  const Heading = use(Level);
  if (first === undefined) return null;
  return (
    <section className="flex flex-col gap-2">
      <Heading className="font-medium text-xs">{s.checks.setUp}</Heading>
      <List round={{ key: first.id, commit: null, at: first.startedAt, checks }} />
    </section>
  );
}

function RoundHead({ round }: { round: Round }) {
  const passed = round.checks.filter((check) => check.status === "passed").length;
  const running = round.checks.some((check) => check.status === "running");
  return (
    <p className="flex items-baseline gap-2 text-xs">
      <span className="font-medium">
        {running ? s.checks.running : s.checks.round(passed, round.checks.length)}
      </span>
      {round.commit && (
        <span className="text-faint">
          <code>{shortId(round.commit)}</code>
        </span>
      )}
      <span className="flex-1" />
      <Time at={round.at} className="text-faint" />
    </p>
  );
}

function List({ round, folded }: { round: Round; folded?: boolean }) {
  return (
    <ul className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
      {round.checks.map((check) => (
        <li key={check.id} className="border-line border-b last:border-b-0">
          <One check={check} {...(folded ? { folded } : {})} />
        </li>
      ))}
    </ul>
  );
}

const LOOK = {
  running: [LoaderCircle, "animate-spin-slow text-blue", s.checks.running],
  passed: [CircleCheck, "text-green", s.checks.passed],
  failed: [CircleX, "text-red", s.checks.failed],
} as const;

function One({ check, folded }: { check: Check; folded?: boolean }) {
  const [chosen, setChosen] = useState<boolean | null>(null);
  // What failed, or runs, shows itself; what passed stays folded.
  const open = chosen ?? (!folded && check.status !== "passed");
  const live = useLiveOutput(check.status === "running" ? check.runId : null).find(
    (entry) => entry.stream.kind === "check" && entry.stream.command === check.command,
  );
  const text = check.status === "running" ? (live?.text ?? "") : check.output;
  const [Icon, tone, word] = LOOK[check.status];
  return (
    <>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setChosen(!open)}
        className="-outline-offset-2 flex min-h-11 w-full items-center gap-2.5 px-3 py-1.5 text-left hover:bg-hover"
      >
        <Icon aria-label={word} className={cn("size-4 shrink-0", tone)} />
        <code className="min-w-0 flex-1 truncate text-sm" title={check.command}>
          {check.command}
        </code>
        <span className="num flex shrink-0 items-center gap-3 text-xs">
          {check.status === "failed" && (
            <span className="text-red">
              {check.exitCode === null ? s.checks.killed : s.checks.exit(check.exitCode)}
            </span>
          )}
          <span className="text-faint">
            {check.endedAt ? (
              duration(Date.parse(check.endedAt) - Date.parse(check.startedAt))
            ) : (
              <Elapsed since={check.startedAt} />
            )}
          </span>
        </span>
        <ChevronRight
          aria-hidden
          className={cn("size-4 shrink-0 text-faint transition-transform duration-100", open && "rotate-90")}
        />
      </button>
      {open && (
        <div className="px-3 pb-3">
          {text === "" ? (
            <p className="text-faint text-xs">{s.live.noOutput}</p>
          ) : (
            <Terminal
              text={text}
              live={check.status === "running"}
              missing={check.status === "running" && (live?.missing ?? 0) > 0}
              label={check.command}
            />
          )}
        </div>
      )}
    </>
  );
}
