import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { ErrorState } from "@/components/state";
import { Skeleton } from "@/components/ui/skeleton";
import { systemQueries } from "@/features/systems/api";
import { Editor } from "@/features/systems/editor";

/** One system, to be looked at and written. */
export default function SystemPage() {
  const { systemId } = useParams({ from: "/frame/systems/$systemId" });
  const system = useQuery(systemQueries.system(systemId));
  if (system.data) return <Editor key={system.data.id} system={system.data} />;
  if (system.isError) return <ErrorState error={system.error} onRetry={() => void system.refetch()} />;
  return <Skeleton className="m-6 h-64 rounded-xl" />;
}
