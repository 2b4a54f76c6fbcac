import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Bot, CircleStop, Gauge } from "lucide-react";
import { useMemo } from "react";
import { queries, useMay, useMembers, useRun } from "@/api/queries";
import type { FeatureCard } from "@/api/types";
import { Page } from "@/components/page";
import { TaskLine } from "@/components/progress";
import { Empty, ErrorState, Partly } from "@/components/state";
import { StatusBadge } from "@/components/status";
import { Avatar } from "@/components/ui/avatar";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { Tooltip } from "@/components/ui/tooltip";
import { useFeatureAction } from "@/features/actions";
import { Asides } from "@/features/agents/asides";
import { AutoModes } from "@/features/agents/auto-modes";
import { Queue } from "@/features/agents/queue";
import { useActiveWork, useAsides } from "@/features/attention";
import { sayingOf } from "@/features/feature/live/tools";
import { StopAllButton } from "@/features/team/stop-all";
import { count, exactMoney, money, plural, shortCount } from "@/lib/format";
import { Elapsed } from "@/lib/time";
import { useDoing } from "@/live/doing";
import * as words from "@/strings";

export default function AgentsPage() {
  const { working, projects, pending, ...cards } = useActiveWork();
  const names = useMemo(() => new Map(projects.map((project) => [project.id, project.name])), [projects]);
  const atWork = working.filter((card) => card.status === "in_progress");
  const asides = useAsides();
  const answering = asides.filter((run) => run.working);
  const running = atWork.length + answering.length;
  const queued = working.filter((card) => card.status === "queued").length + asides.length - answering.length;
  const mayLook = useMay("read");
  const runsTeam = useMay("administer");
  const others = useQuery({ ...queries.atWork(), enabled: mayLook });
  const error = cards.error ?? others.error;
  const refetch = () => {
    cards.refetch();
    void others.refetch();
  };
  if (cards.error !== null && projects.length === 0) return <ErrorState error={error} onRetry={refetch} />;
  return (
    <Page
      title="Agents at work"
      lead={
        pending || error !== null
          ? " "
          : `${plural(running, "agent")} at work${queued > 0 ? `, ${queued} queued` : ""}.`
      }
      width="lg"
      actions={
        <>
          <Button size="sm" render={<Link to="/operation/limits" />}>
            <Gauge /> {words.t.nav.rateLimits}
          </Button>
          {runsTeam && <StopAllButton size="sm" quiet={running + queued === 0} />}
        </>
      }
    >
      {error !== null && <Partly error={error} onRetry={refetch} />}
      {pending ? (
        <div className="grid gap-3 lg:grid-cols-2">
          <Skeleton className="h-36 rounded-xl" />
          <Skeleton className="h-36 rounded-xl" />
        </div>
      ) : running === 0 ? (
        error === null && (
          <Empty icon={<Bot />} title="No agent is at work">
            Start a card on a board, and watch here what all agents do.
          </Empty>
        )
      ) : (
        atWork.length > 0 && (
          <ul className="grid gap-3 lg:grid-cols-2 3xl:grid-cols-3">
            {atWork.map((card) => (
              <AgentCard key={card.id} card={card} project={names.get(card.projectId) ?? ""} />
            ))}
          </ul>
        )
      )}
      <Asides runs={answering} names={names} />
      {mayLook && <Queue names={names} />}
      {mayLook && <AutoModes names={names} />}
    </Page>
  );
}

function AgentCard({ card, project }: { card: FeatureCard; project: string }) {
  const run = useRun(card.runId).data;
  const members = useMembers().data;
  const mayBuild = useMay("build");
  const stop = useFeatureAction("stop");
  const member = members?.find((entry) => entry.id === (run?.memberId ?? card.createdBy));
  const task = run?.plan.find((entry) => entry.status === "in_progress")?.title;
  const now = useDoing(card.runId);
  const doing = now && sayingOf({ tool: now.tool, input: now.input, state: "running" });
  const tokens = run
    ? run.usage.inputTokens + run.usage.outputTokens + run.usage.cacheReadTokens + run.usage.cacheWriteTokens
    : 0;
  return (
    <li className="relative flex flex-col gap-3 rounded-xl border border-line bg-surface p-4 shadow-card transition-[border-color,box-shadow] hover:border-line-strong hover:shadow-lift has-[a:focus-visible]:outline-2 has-[a:focus-visible]:outline-ring">
      <div className="flex items-start gap-3">
        <div className="min-w-0 flex-1">
          <h2 dir="auto" className="font-medium [overflow-wrap:anywhere]">
            <Link
              to="/p/$projectId"
              params={{ projectId: card.projectId }}
              search={{ f: card.id }}
              className="outline-none after:absolute after:inset-0 after:rounded-xl"
            >
              {card.title}
            </Link>
          </h2>
          <p className="num mt-0.5 truncate text-faint text-xs">
            {project} #{card.number}
            {run && <> · {run.model}</>}
          </p>
        </div>
        <StatusBadge status={card.status} stage={card.stage} />
        {mayBuild && (
          <Tooltip text="Stop">
            <Button
              variant="ghost"
              size="icon-sm"
              className="-mt-1 -mr-1.5 relative"
              aria-label={`Stop #${card.number}`}
              busy={stop.isPending}
              onClick={() => stop.mutate({ id: card.id })}
            >
              {!stop.isPending && <CircleStop />}
            </Button>
          </Tooltip>
        )}
      </div>
      <div className="flex flex-col gap-1.5">
        {card.status === "in_progress" && <TaskLine done={card.tasksDone} total={card.tasksTotal} />}
        <p className="num flex justify-between gap-3 text-muted text-xs">
          <span className="truncate">
            {doing ? (
              <>
                {doing.verb} {doing.target !== "" && <code className="font-mono">{doing.target}</code>}
              </>
            ) : (
              (task ?? (run ? `Turn ${run.turns + 1}` : words.status.in_progress))
            )}
          </span>
          {card.tasksTotal > 0 && (
            <span className="shrink-0">
              {card.tasksDone} of {plural(card.tasksTotal, "task")}
            </span>
          )}
        </p>
      </div>
      <div className="mt-auto flex flex-wrap items-center gap-x-5 gap-y-1 text-xs">
        <dl className="num flex flex-wrap items-center gap-x-5 gap-y-1">
          <Fact name="Time">{card.startedAt ? <Elapsed since={card.startedAt} /> : "–"}</Fact>
          <Fact name="Cost" title={exactMoney(card.costMicros)}>
            {money(card.costMicros)}
          </Fact>
          {run && (
            <>
              <Fact name="Turns">{count(run.turns)}</Fact>
              <Fact name="Tokens" title={`${count(tokens)} tokens`}>
                {shortCount(tokens)}
              </Fact>
            </>
          )}
        </dl>
        {member && (
          <span className="ml-auto flex items-center gap-1.5 text-muted">
            <Avatar name={member.name} id={member.id} picture={member.avatar} size="sm" /> {member.name}
          </span>
        )}
      </div>
    </li>
  );
}

function Fact({ name, title, children }: { name: string; title?: string; children: React.ReactNode }) {
  return (
    <div className="flex gap-1.5" title={title}>
      <dt className="text-faint">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
