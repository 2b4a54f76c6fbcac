import { useInfiniteQuery } from "@tanstack/react-query";
import { History } from "lucide-react";
import { queries } from "@/api/queries";
import type { Alert } from "@/api/types";
import { More } from "@/components/more";
import { Section } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Skeleton } from "@/components/ui/skeleton";
import { duration } from "@/lib/format";
import { Time } from "@/lib/time";
import { figure, kind, level, words } from "./strings";

/** What was open and is over, the latest first. */
export function AlertHistory() {
  const list = useInfiniteQuery(queries.alertHistory());
  const items = list.data?.pages.flatMap((page) => page.items);
  return (
    <Section id="alert-history" title={words.history}>
      {items === undefined ? (
        list.isError ? (
          <ErrorState error={list.error} onRetry={() => void list.refetch()} className="py-6" />
        ) : (
          <Skeleton className="h-40 rounded-xl" />
        )
      ) : items.length === 0 ? (
        <Empty icon={<History />} title={words.noHistory} className="py-8">
          {words.noHistoryHelp}
        </Empty>
      ) : (
        <>
          <ul
            aria-label={words.history}
            className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card"
          >
            {items.map((alert) => (
              <Row key={alert.id} alert={alert} />
            ))}
          </ul>
          <More list={list}>{words.more}</More>
        </>
      )}
    </Section>
  );
}

function Row({ alert }: { alert: Alert }) {
  const shown = figure[alert.kind];
  const lasted = Date.parse(alert.clearedAt ?? alert.seenAt) - Date.parse(alert.raisedAt);
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2.5 text-sm">
      <span className="min-w-40 flex-1 break-words font-medium">
        {words.of(kind[alert.kind], alert.about)}
      </span>
      <Badge tone={alert.worstLevel === "critical" ? "red" : "amber"}>{level[alert.worstLevel]}</Badge>
      <span className="num text-muted text-xs">
        {shown && `${words.worst} ${shown(alert.worst)} · `}
        {words.lasted(duration(lasted))}
        {alert.gone && ` · ${words.gone}`}
      </span>
      <Time at={alert.raisedAt} className="num w-20 text-right text-faint text-xs" />
    </li>
  );
}
