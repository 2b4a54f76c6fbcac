import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowLeft, Trash2 } from "lucide-react";
import { More } from "@/components/more";
import { Page } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Loading } from "./item";
import { hubQueries } from "./queries";
import { Row } from "./row";
import { words } from "./strings";

/** What was deleted and can be taken back. */
export function Deleted() {
  const list = useInfiniteQuery(hubQueries.deleted());
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Page
      title={words.deleted}
      lead={words.deletedLead}
      actions={
        <Button render={<Link to="/knowledge" />}>
          <ArrowLeft /> {words.item.back}
        </Button>
      }
    >
      {list.isError && items.length === 0 ? (
        <ErrorState error={list.error} onRetry={() => void list.refetch()} />
      ) : list.isPending ? (
        <Loading />
      ) : items.length === 0 ? (
        <Empty icon={<Trash2 />} title={words.noneDeleted} />
      ) : (
        <ul
          aria-label={words.deleted}
          className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface shadow-card"
        >
          {items.map((hit) => (
            <Row key={hit.id} hit={hit} />
          ))}
        </ul>
      )}
      <More list={list}>{words.more}</More>
    </Page>
  );
}
