import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { More } from "@/components/more";
import { ErrorState, Partly } from "@/components/state";
import { StatusBadge } from "@/components/status";
import { Skeleton } from "@/components/ui/skeleton";
import { Time } from "@/lib/time";
import { t } from "@/strings";
import { agentQueries } from "./queries";
import { s } from "./strings";

/**
 * What a member gave an agent to do by itself, as the way to what came of it. Where there is none, nothing; `alone` with nothing else in
 * its window, it says so.
 */
export function AgentTasks({ agentId, alone }: { agentId: string; alone: boolean }) {
  const list = useInfiniteQuery(agentQueries.tasks(agentId));
  const retry = () => void list.refetch();
  if (list.isPending)
    return (
      <div role="status" aria-label={t.common.loading} className="px-5 pb-5">
        <Skeleton className="h-9" />
      </div>
    );
  if (alone && list.isLoadingError) return <ErrorState error={list.error} onRetry={retry} />;
  const tasks = list.data?.pages.flatMap((page) => page.items) ?? [];
  const partly = list.error !== null && <Partly error={list.error} onRetry={retry} />;
  if (tasks.length === 0) {
    if (partly) return <div className="px-5">{partly}</div>;
    return alone && <p className="px-5 pb-6 text-muted text-sm">{s.try.never}</p>;
  }
  return (
    <section aria-labelledby="agent-tasks" className="px-5 pb-5">
      {partly}
      <h3 id="agent-tasks" className="mb-1.5 font-medium text-sm">
        {s.try.earlier}
      </h3>
      <ul className="divide-y divide-line overflow-hidden rounded-lg border border-line">
        {tasks.map((task) => (
          <li key={task.id} className="relative flex items-center gap-3 px-3 py-2 text-sm hover:bg-hover">
            <Link
              to="/f/$featureId"
              params={{ featureId: task.id }}
              dir="auto"
              className="min-w-0 flex-1 truncate outline-none after:absolute after:inset-0 focus-visible:underline"
            >
              {task.title}
            </Link>
            <StatusBadge status={task.status} stage={task.stage} />
            <Time at={task.updatedAt} className="shrink-0 text-faint text-xs" />
          </li>
        ))}
      </ul>
      <More list={list}>{s.try.more}</More>
    </section>
  );
}
