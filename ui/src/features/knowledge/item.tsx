import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowLeft, ClipboardCheck, RotateCcw } from "lucide-react";
import { lazy, type ReactNode, Suspense, useEffect } from "react";
import { useMay } from "@/api/queries";
import { Markdown } from "@/components/markdown";
import { Page } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { useHotkeys } from "@/lib/hotkeys";
import { useRestore } from "./deeds";
import { titleOf } from "./draft";
import { Facts } from "./facts";
import { Actions } from "./item-actions";
import { KindIcon, Standing } from "./kind";
import { watch } from "./live";
import { Attribution } from "./people";
import { useWriters } from "./presence";
import { hubQueries } from "./queries";
import type { ItemSearch } from "./search";
import { words } from "./strings";
import type { Item, Kind, Known } from "./types";

const History = lazy(() => import("./history").then((module) => ({ default: module.History })));
const Editor = lazy(() => import("./editor").then((module) => ({ default: module.Editor })));

/** One item: its text, where it comes from and how it served, its history; or the editor of it. */
export function ItemView({
  kind,
  id,
  search,
  go,
}: {
  kind: Kind;
  id: string;
  search: ItemSearch;
  go: (search: ItemSearch) => void;
}) {
  const known = useQuery(hubQueries.item(id, kind));
  const mayWrite = useMay("knowledge");
  useEffect(watch, []);
  if (known.data === undefined)
    return (
      <Page title={words.title}>
        {known.isError ? (
          <ErrorState error={known.error} onRetry={() => void known.refetch()} />
        ) : (
          <Loading />
        )}
      </Page>
    );
  const { item } = known.data;
  if (search.edit && mayWrite && item.deletedAt === null)
    return (
      <Suspense fallback={<Page title={titleOf(item)}>{<Loading />}</Page>}>
        <Editor kind={item.kind} item={item} onDone={() => go({})} />
      </Suspense>
    );
  return <Shown known={known.data} search={search} go={go} mayWrite={mayWrite} />;
}

function Shown({
  known,
  search,
  go,
  mayWrite,
}: {
  known: Known;
  search: ItemSearch;
  go: (search: ItemSearch) => void;
  mayWrite: boolean;
}) {
  const { item } = known;
  const writes = useWriters(item.id);
  const tab = search.tab ?? "text";
  const gone = item.deletedAt !== null;
  const edit = () => go({ edit: true });
  useHotkeys({
    ...(mayWrite && !gone ? { e: edit } : {}),
    h: () => go(tab === "history" ? {} : { tab: "history" }),
  });
  return (
    <Page
      title={titleOf(item)}
      lead={<Attribution item={item} />}
      actions={<Actions item={item} mayWrite={mayWrite} onEdit={edit} />}
    >
      <div className="-mt-3 mb-4 flex flex-wrap items-center gap-2 text-sm">
        <Link
          to="/knowledge"
          search={{ kind: item.kind }}
          className="inline-flex items-center gap-1 rounded text-faint hover:text-ink"
        >
          <ArrowLeft aria-hidden className="size-3.5" /> {words.item.back}
        </Link>
        <KindIcon kind={item.kind} />
        <Standing item={item} />
      </div>
      <Notices item={item} mayWrite={mayWrite} writes={writes} />
      <Tabs
        value={tab}
        onChange={(next) => go(next === "history" ? { tab: "history" } : {})}
        listClassName="mb-5"
        tabs={[
          { value: "text", label: words.item.text },
          { value: "history", label: words.item.history, badge: <Count n={item.version} /> },
        ]}
      >
        <TabPanel value="text">
          <div className="grid gap-8 lg:grid-cols-[minmax(0,1fr)_16rem]">
            <Text item={item} />
            <Facts known={known} mayWrite={mayWrite} />
          </div>
        </TabPanel>
        <TabPanel value="history">
          <Suspense fallback={<Loading />}>
            <History item={item} search={search} go={go} mayWrite={mayWrite} />
          </Suspense>
        </TabPanel>
      </Tabs>
    </Page>
  );
}

function Count({ n }: { n: number }) {
  return <span className="num rounded-full bg-grey-soft px-1.5 text-2xs text-muted">{n}</span>;
}

/** What one should know before one reads it. */
function Notices({ item, mayWrite, writes }: { item: Item; mayWrite: boolean; writes: readonly string[] }) {
  const restore = useRestore(item.kind);
  return (
    <div className="flex flex-col gap-2 pb-3 empty:hidden">
      {item.deletedAt !== null && (
        <Notice
          action={
            mayWrite && (
              <Button size="sm" busy={restore.isPending} onClick={() => restore.mutate({ item })}>
                <RotateCcw /> {words.item.restore}
              </Button>
            )
          }
        >
          {words.item.isDeleted}
        </Notice>
      )}
      {item.kind === "learning" && item.review === "proposed" && item.deletedAt === null && (
        <Notice
          action={
            mayWrite && (
              <Button size="sm" render={<Link to="/knowledge/review" search={{ item: item.id }} />}>
                <ClipboardCheck /> {words.item.reviewIt}
              </Button>
            )
          }
        >
          {words.item.waits}
        </Notice>
      )}
      {item.kind === "learning" && item.review === "rejected" && (
        <Notice>
          {words.item.rejectedBecause} {item.rejectReason}
        </Notice>
      )}
      {writes.length > 0 && <Notice>{words.item.writes(writes.join(", "))}</Notice>}
    </div>
  );
}

export function Notice({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div
      role="status"
      className="flex flex-wrap items-center gap-3 rounded-lg border border-line bg-amber-soft px-3 py-2 text-amber text-sm"
    >
      <p className="min-w-48 flex-1 [overflow-wrap:anywhere]">{children}</p>
      {action}
    </div>
  );
}

/** What it says. */
function Text({ item }: { item: Item }) {
  const parts =
    item.kind === "learning"
      ? ([
          [words.item.problem, item.problem],
          [words.item.solution, item.solution],
          [words.item.prevention, item.prevention],
        ] as const)
      : [];
  return (
    <article className="min-w-0">
      {item.description && (
        <p className="mb-4 text-base text-muted [overflow-wrap:anywhere]">{item.description}</p>
      )}
      {item.content?.trim() ? (
        <Markdown text={item.content} />
      ) : (
        <p className="text-faint text-sm">{words.item.nothing}</p>
      )}
      {parts.map(
        ([name, text]) =>
          text && (
            <section key={name} className="mt-6">
              <h2 className="mb-1 font-semibold text-base">{name}</h2>
              <Markdown text={text} />
            </section>
          ),
      )}
    </article>
  );
}

export function Loading() {
  return (
    <div className="flex flex-col gap-3" aria-hidden>
      <Skeleton className="h-6 w-2/3" />
      <Skeleton className="h-4 w-1/2" />
      <Skeleton className="mt-4 h-64 rounded-xl" />
    </div>
  );
}
