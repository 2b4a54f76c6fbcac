import { Clock, Coins, Cpu, FileDiff } from "lucide-react";
import { lazy, type ReactNode, Suspense } from "react";
import { useMembers, useModels } from "@/api/queries";
import type { Feature, Run, Usage } from "@/api/types";
import { Avatar } from "@/components/ui/avatar";
import { Tooltip } from "@/components/ui/tooltip";
import { count, exactMoney, money, shortCount } from "@/lib/format";
import { Elapsed } from "@/lib/time";
import { s } from "../strings";

const AgentName = lazy(() => import("@/features/library/agent-name"));

export function totalTokens(usage: Usage): number {
  return usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;
}

/** Lines added and taken away, in their colours. */
export function Stat({ added, removed }: { added: number; removed: number }) {
  return (
    <span className="num inline-flex gap-1 whitespace-nowrap">
      {added > 0 && <span className="text-green">+{count(added)}</span>}
      {removed > 0 && <span className="text-red">−{count(removed)}</span>}
      {added === 0 && removed === 0 && <span className="text-faint">±0</span>}
    </span>
  );
}

/** A model by its name, where it is known. */
export function useModelName(id: string | null | undefined): string | null {
  const models = useModels().data;
  if (!id) return null;
  return models?.items.find((model) => model.id === id)?.name ?? id;
}

/** Who, with what, how long, how much: one quiet line. */
export function Facts({ feature, run }: { feature: Feature; run: Run | undefined }) {
  const members = useMembers().data;
  const model = useModelName(run?.model ?? feature.model);
  const who = members?.find((member) => member.id === (run?.memberId ?? feature.createdBy));
  const tokens = run === undefined ? 0 : totalTokens(run.usage);
  // One that waits has not ended, but nobody works on it.
  const over = run?.endedAt ?? feature.finishedAt;
  return (
    <div className="flex min-h-5 flex-wrap items-center gap-x-3.5 gap-y-1 text-muted text-xs">
      {who && (
        <Fact
          name={run === undefined ? s.header.writer : s.header.starter}
          label={run === undefined ? s.header.writtenBy(who.name) : s.header.startedBy(who.name)}
          icon={<Avatar name={who.name} id={who.id} picture={who.avatar} size="sm" />}
        >
          <span className="max-w-40 truncate">{who.name}</span>
        </Fact>
      )}
      {feature.kind === "card" && feature.agentId && (
        <Suspense fallback={null}>
          <AgentName id={feature.agentId} className="max-w-48" />
        </Suspense>
      )}
      {model && (
        <Fact name={s.header.model} icon={<Cpu />}>
          {model}
        </Fact>
      )}
      {run?.startedAt && (run.status === "running" || over) && (
        <Fact name={s.header.elapsed} icon={<Clock />}>
          <Elapsed since={run.startedAt} until={run.status === "running" ? null : over} className="num" />
        </Fact>
      )}
      {tokens > 0 && (
        <Fact
          name={`${s.header.tokens}, ${s.header.cost}`}
          label={
            <>
              {s.header.tokens}: {count(tokens)}
              <br />
              {s.header.cost}: {exactMoney(feature.costMicros)}
            </>
          }
          icon={<Coins />}
        >
          <span className="num">
            {shortCount(tokens)} · {money(feature.costMicros)}
          </span>
        </Fact>
      )}
      {feature.filesChanged > 0 && (
        <Fact
          name={s.header.size}
          label={`${s.header.size}: ${s.changes.files(feature.filesChanged)}`}
          icon={<FileDiff />}
        >
          <Stat added={feature.linesAdded} removed={feature.linesRemoved} />
        </Fact>
      )}
    </div>
  );
}

function Fact({
  name,
  label = name,
  icon,
  children,
}: {
  /** What it is, for who does not see the sign. */
  name: string;
  /** What is said of it on hover. */
  label?: ReactNode;
  icon: ReactNode;
  children: ReactNode;
}) {
  return (
    <Tooltip text={label}>
      <span className="inline-flex items-center gap-1.5 [&>svg]:size-3.5 [&>svg]:text-faint">
        {icon}
        <span className="sr-only">{name}: </span>
        {children}
      </span>
    </Tooltip>
  );
}
