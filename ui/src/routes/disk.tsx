import { useQuery } from "@tanstack/react-query";
import { queries } from "@/api/queries";
import { ErrorState } from "@/components/state";
import { Skeleton } from "@/components/ui/skeleton";
import { ByMember } from "@/features/disk/members";
import { Orphans, Plan } from "@/features/disk/plan";
import { RetentionSettings } from "@/features/disk/retention";
import { d } from "@/features/disk/strings";
import { DiskUse, Standing, Staying } from "@/features/disk/use";
import { WhichServer } from "@/features/disk/which";
import { OperationPage } from "@/features/operation/page";

/** What uses the server's disk, what goes and when. For admins. */
export default function DiskPage() {
  const disk = useQuery(queries.disk());
  const retention = useQuery(queries.retention()).data;
  const standing = disk.data;
  return (
    <OperationPage title={d.title} lead={d.lead}>
      {standing === undefined ? (
        disk.isError ? (
          <ErrorState error={disk.error} onRetry={() => void disk.refetch()} />
        ) : (
          <Waiting />
        )
      ) : (
        <>
          <WhichServer node={standing.node} />
          <Standing standing={standing} />
          {standing.report ? (
            <>
              <Staying report={standing.report} />
              <DiskUse report={standing.report} retention={retention} />
              <ByMember report={standing.report} />
              <Plan report={standing.report} running={Boolean(standing.tidiness.runningSince)} />
              <Orphans report={standing.report} />
            </>
          ) : (
            <div role="status">
              <p className="mb-4 text-muted text-sm">{d.first}</p>
              <Waiting />
            </div>
          )}
          <RetentionSettings />
        </>
      )}
    </OperationPage>
  );
}

function Waiting() {
  return (
    <div className="mb-7 flex flex-col gap-4">
      <Skeleton className="h-40 rounded-xl" />
      <Skeleton className="h-72 rounded-xl" />
    </div>
  );
}
