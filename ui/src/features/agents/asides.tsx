import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Bot, CircleStop, MessagesSquare, Workflow } from "lucide-react";
import { useState } from "react";
import { keys } from "@/api/keys";
import { useMay, useMembers } from "@/api/queries";
import type { LiveRun } from "@/api/types";
import { Avatar } from "@/components/ui/avatar";
import { Button } from "@/components/ui/button";
import { Tooltip } from "@/components/ui/tooltip";
import { useFeatureAction } from "@/features/actions";
import { sayingOf } from "@/features/feature/live/tools";
import { EndExecution } from "@/features/systems/end-execution";
import { exactMoney, money } from "@/lib/format";
import { Elapsed } from "@/lib/time";
import { useDoing } from "@/live/doing";
import { agents as words } from "./strings";

/** What is at work without a card: each in a row, with the way to it. */
export function Asides({ runs, names }: { runs: LiveRun[]; names: Map<string, string> }) {
  const members = useMembers().data;
  if (runs.length === 0) return null;
  return (
    <section aria-labelledby="asides" className="mt-6 first:mt-0">
      <div className="mb-2 flex items-baseline gap-2 px-1">
        <h2 id="asides" className="font-semibold text-base">
          {words.asides}
        </h2>
        <span className="num text-faint text-xs">{runs.length}</span>
        <p className="hidden text-faint text-xs sm:block">{words.asidesLead}</p>
      </div>
      <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface shadow-card">
        {runs.map((run) => (
          <Row
            key={run.runId}
            run={run}
            project={names.get(run.projectId) ?? ""}
            member={members?.find((member) => member.id === run.memberId)}
          />
        ))}
      </ul>
    </section>
  );
}

function Row({
  run,
  project,
  member,
}: {
  run: LiveRun;
  project: string;
  member: { id: string; name: string; avatar: string | null } | undefined;
}) {
  const now = useDoing(run.runId);
  const doing = now && sayingOf({ tool: now.tool, input: now.input, state: "running" });
  return (
    <li className="relative flex items-center gap-3 px-4 py-2.5 text-sm hover:bg-hover">
      <KindIcon run={run} />
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">
          <AsideLink run={run} />
        </p>
        <p className="num truncate text-faint text-xs">
          {kindOf(run)} · {project} · {run.model}
        </p>
        {doing && (
          <p className="truncate text-muted text-xs">
            {doing.verb} {doing.target !== "" && <code className="font-mono">{doing.target}</code>}
          </p>
        )}
      </div>
      <p className="num hidden shrink-0 gap-4 text-xs sm:flex">
        {run.startedAt && <Elapsed since={run.startedAt} />}
        <span title={exactMoney(run.costMicros)}>{money(run.costMicros)}</span>
      </p>
      {member && (
        <span className="flex shrink-0 items-center gap-1.5 text-muted text-xs">
          <Avatar name={member.name} id={member.id} picture={member.avatar} size="sm" />
          <span className="hidden sm:inline">{member.name}</span>
          <span className="sr-only sm:hidden">{member.name}</span>
        </span>
      )}
      <StopAside run={run} />
    </li>
  );
}

function kindOf(run: LiveRun): string {
  if (run.kind === "chat") return words.chat;
  return run.executionId === null ? words.task : words.step;
}

function KindIcon({ run }: { run: LiveRun }) {
  const Icon = run.kind === "chat" ? MessagesSquare : run.executionId === null ? Bot : Workflow;
  return <Icon aria-hidden className="size-4 shrink-0 text-faint" />;
}

/** The title of a chat or a task, as the way to where it is shown. */
export function AsideLink({ run }: { run: LiveRun }) {
  const className = "outline-none after:absolute after:inset-0 focus-visible:underline";
  if (run.kind === "chat")
    return (
      <Link to="/chat/$chatId" params={{ chatId: run.featureId }} className={className}>
        {run.title}
      </Link>
    );
  if (run.executionId !== null)
    return (
      <Link to="/executions/$executionId" params={{ executionId: run.executionId }} className={className}>
        {run.title}
      </Link>
    );
  return (
    <Link to="/f/$featureId" params={{ featureId: run.featureId }} className={className}>
      {run.title}
    </Link>
  );
}

/** Stops a chat's answer or a task; a step of a system only with all of its execution. */
export function StopAside({ run }: { run: LiveRun }) {
  const client = useQueryClient();
  const mayRun = useMay("run");
  const stop = useFeatureAction("stop");
  const [asked, setAsked] = useState(false);
  if (!mayRun) return null;
  const settled = () => void client.invalidateQueries({ queryKey: keys.atWork });
  const { executionId } = run;
  const press = () =>
    executionId === null ? stop.mutate({ id: run.featureId }, { onSettled: settled }) : setAsked(true);
  return (
    <>
      <Tooltip text="Stop">
        <Button
          variant="ghost"
          size="icon-sm"
          className="-mr-1.5 relative"
          aria-label={words.stopAside(run.title)}
          busy={stop.isPending}
          onClick={press}
        >
          {!stop.isPending && <CircleStop />}
        </Button>
      </Tooltip>
      {executionId !== null && (
        <EndExecution executionId={executionId} open={asked} onOpenChange={setAsked} />
      )}
    </>
  );
}
