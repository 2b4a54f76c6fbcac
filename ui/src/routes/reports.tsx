import { useInfiniteQuery } from "@tanstack/react-query";
import { Sunrise } from "lucide-react";
import { queries } from "@/api/queries";
import { Page } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { ReportBody, spanOf } from "@/features/reports/report";
import { reports as words } from "@/features/reports/strings";

/** The member's own morning reports, the latest first. */
export default function ReportsPage() {
  const list = useInfiniteQuery(queries.reports());
  if (list.isError && list.data === undefined)
    return <ErrorState error={list.error} onRetry={() => void list.refetch()} />;
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page title={words.title} lead={words.lead}>
      {list.isPending ? (
        <div className="flex flex-col gap-3">
          <Skeleton className="h-40 rounded-xl" />
          <Skeleton className="h-40 rounded-xl" />
        </div>
      ) : items.length === 0 ? (
        <Empty icon={<Sunrise />} title={words.none}>
          {words.noneHelp}
        </Empty>
      ) : (
        <ul className="flex flex-col gap-6">
          {items.map((report) => (
            <li key={report.id} className="rounded-xl border border-line bg-surface p-4 shadow-card">
              <h2 className="num mb-3 font-semibold text-base">
                {spanOf(report)}{" "}
                <span className="font-normal text-faint text-xs">{words.cause[report.cause]}</span>
              </h2>
              <ReportBody report={report} />
            </li>
          ))}
        </ul>
      )}
      {list.hasNextPage && (
        <Button className="mt-6" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {words.more}
        </Button>
      )}
    </Page>
  );
}
