import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { ErrorState } from "@/components/state";
import { Skeleton } from "@/components/ui/skeleton";
import { systemQueries } from "@/features/systems/api";
import { ExecutionPage } from "@/features/systems/execution";

/** One execution of a system, drawn while it runs. */
export default function ExecutionRoute() {
  const { executionId } = useParams({ from: "/frame/executions/$executionId" });
  const execution = useQuery(systemQueries.execution(executionId));
  if (execution.data) return <ExecutionPage execution={execution.data} />;
  if (execution.isError)
    return <ErrorState error={execution.error} onRetry={() => void execution.refetch()} />;
  return <Skeleton className="m-6 h-64 rounded-xl" />;
}
