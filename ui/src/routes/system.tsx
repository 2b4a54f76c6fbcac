import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Page } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { systemQueries } from "@/features/systems/api";
import { Editor } from "@/features/systems/editor";
import { w } from "@/features/systems/strings";

/** One system, to be looked at and written. */
export default function SystemPage() {
  const { systemId } = useParams({ from: "/frame/systems/$systemId" });
  const system = useQuery(systemQueries.system(systemId));
  if (system.data) return <Editor key={system.data.id} system={system.data} />;
  if (system.isError)
    return (
      <Page title={w.title} width="lg">
        <ErrorState
          error={system.error}
          onRetry={() => void system.refetch()}
          back={<Button render={<Link to="/systems" />}>{w.title}</Button>}
        />
      </Page>
    );
  return <Skeleton className="m-6 h-64 rounded-xl" />;
}
