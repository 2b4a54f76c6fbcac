import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Page } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { systemQueries } from "@/features/systems/api";
import { ExecutionPage } from "@/features/systems/execution";
import { w } from "@/features/systems/strings";

/** One execution of a system, drawn while it runs. */
export default function ExecutionRoute() {
  const { executionId } = useParams({ from: "/frame/executions/$executionId" });
  const execution = useQuery(systemQueries.execution(executionId));
  if (execution.data) return <ExecutionPage execution={execution.data} />;
  if (execution.isError)
    return (
      <Page title={w.title} width="lg">
        <ErrorState
          error={execution.error}
          onRetry={() => void execution.refetch()}
          back={<Button render={<Link to="/systems" />}>{w.title}</Button>}
        />
      </Page>
    );
  return <Skeleton className="m-6 h-64 rounded-xl" />;
}
