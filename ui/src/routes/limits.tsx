import { useQuery } from "@tanstack/react-query";
import { Gauge } from "lucide-react";
import { body, client } from "@/api/client";
import { keys } from "@/api/keys";
import { Empty, ErrorState } from "@/components/state";
import { Skeleton } from "@/components/ui/skeleton";
import { Lane } from "@/features/limits/lane";
import { l } from "@/features/limits/strings";
import { OperationPage } from "@/features/operation/page";
import { exactTime } from "@/lib/format";

/** How the rate limits of the providers' keys stand, looked at again while the page is open. */
export default function LimitsPage() {
  const limits = useQuery({
    queryKey: keys.rateLimits,
    queryFn: ({ signal }) => body(client.GET("/api/rate-limits", { signal })),
    refetchInterval: 1_500,
    staleTime: 0,
    gcTime: 0,
  });
  const shown = limits.data;
  return (
    <OperationPage title={l.title} lead={shown === undefined ? " " : shown.all ? l.leadAll : l.leadOwn}>
      {shown === undefined ? (
        limits.isError ? (
          <ErrorState error={limits.error} onRetry={() => void limits.refetch()} />
        ) : (
          <div className="flex flex-col gap-4">
            <Skeleton className="h-72 rounded-xl" />
            <Skeleton className="h-72 rounded-xl" />
          </div>
        )
      ) : shown.items.length === 0 ? (
        <Empty icon={<Gauge />} title={l.empty}>
          {l.emptyText}
        </Empty>
      ) : (
        <div className="flex flex-col gap-4">
          {limits.isError && (
            <p role="status" className="text-amber text-sm">
              {l.paused} {exactTime(shown.at)}
            </p>
          )}
          {shown.items.map((item) => (
            <Lane key={`${item.lane.credential} ${item.lane.host} ${item.lane.class}`} item={item} />
          ))}
          <p className="text-faint text-xs">
            {l.node} <code>{shown.node.slice(0, 8)}</code>
          </p>
        </div>
      )}
    </OperationPage>
  );
}
