import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { BookOpen, ClipboardCheck, PencilLine, SearchX } from "lucide-react";
import { useEffect, useRef } from "react";
import { useMay } from "@/api/queries";
import { Page } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { Tooltip } from "@/components/ui/tooltip";
import { cn } from "@/lib/cn";
import { useHotkeys } from "@/lib/hotkeys";
import { Filters } from "./filters";
import * as labels from "./labels";
import { watch } from "./live";
import { together } from "./pages";
import { useProposed } from "./proposed";
import { hubQueries } from "./queries";
import { Row } from "./row";
import { type HubSearch, isNarrowed } from "./search";
import { SearchField } from "./search-field";
import { words } from "./strings";
import { Transfer } from "./transfer";
import { KINDS } from "./types";

const ALL = "all";
/** Rows from the end at which more are fetched for whoever goes through them by keys. */
const NEAR_THE_END = 5;

/** The knowledge of the team: everything, or what is looked for. */
export function Hub({ search, go }: { search: HubSearch; go: (search: HubSearch) => void }) {
  const navigate = useNavigate();
  const mayWrite = useMay("knowledge");
  const proposed = useProposed();
  const list = useInfiniteQuery(hubQueries.search(search));
  const field = useRef<HTMLInputElement>(null);
  useEffect(watch, []);

  const items = together(list.data?.pages);
  const more = () => void (list.isFetchingNextPage || list.isPlaceholderData || list.fetchNextPage());
  const rows = () => [...document.querySelectorAll<HTMLElement>("[data-item]")];
  const step = (by: number) => {
    const all = rows();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = at < 0 ? 0 : at + by;
    if (to < 0) field.current?.focus();
    else all[Math.min(all.length - 1, to)]?.focus();
    // By keys alone, too, the list goes on where its end comes near.
    if (to >= all.length - NEAR_THE_END && list.hasNextPage && !list.isFetchNextPageError) more();
  };
  useHotkeys({
    "/": () => field.current?.focus(),
    j: () => step(1),
    k: () => step(-1),
    arrowdown: () => step(1),
    arrowup: () => step(-1),
    r: () => void navigate({ to: "/knowledge/review" }),
    ...(mayWrite
      ? { n: () => void navigate({ to: "/knowledge/new", search: search.kind ? { kind: search.kind } : {} }) }
      : {}),
  });

  const setKind = (kind: string) => {
    // What only another kind has narrows nothing any more.
    const { type: _, status: __, review: ___, confidence: ____, kind: _____, ...rest } = search;
    const chosen = KINDS.find((one) => one === kind);
    go(chosen === undefined ? rest : { ...rest, kind: chosen });
  };
  return (
    <Page
      title={words.title}
      lead={words.lead}
      actions={<Actions proposed={proposed} search={search} mayWrite={mayWrite} />}
    >
      <Tabs
        value={search.kind ?? ALL}
        onChange={setKind}
        listClassName="mb-4"
        tabs={[
          { value: ALL, label: words.all },
          ...KINDS.map((kind) => ({ value: kind, label: labels.kindName[kind].many })),
        ]}
      >
        <TabPanel value={search.kind ?? ALL}>
          <search className="mb-4 flex flex-col gap-2">
            <SearchField
              ref={field}
              value={search.q ?? ""}
              busy={list.isFetching && !list.isFetchingNextPage}
              onChange={(q) => {
                const { q: _, ...rest } = search;
                go(q.trim() === "" ? rest : { ...rest, q });
              }}
              onDown={() => rows()[0]?.focus()}
              onEnter={() => list.isPlaceholderData || rows()[0]?.click()}
            />
            <Filters search={search} onChange={go} />
          </search>
          {list.isError && items.length === 0 ? (
            <ErrorState error={list.error} onRetry={() => void list.refetch()} />
          ) : list.isPending ? (
            <Loading />
          ) : items.length === 0 ? (
            <Nothing search={search} go={go} mayWrite={mayWrite} />
          ) : (
            <>
              <p role="status" className="sr-only">
                {words.found(items.length, list.hasNextPage)}
              </p>
              <ul
                aria-label={words.results}
                aria-busy={list.isPlaceholderData}
                className={cn(
                  "divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface shadow-card transition-opacity",
                  list.isPlaceholderData && "opacity-60",
                )}
              >
                {items.map((hit) => (
                  <Row key={hit.id} hit={hit} onTag={(tag) => go({ ...search, tag })} />
                ))}
              </ul>
              {list.hasNextPage && (
                <More busy={list.isFetchingNextPage} failed={list.isFetchNextPageError} onMore={more} />
              )}
            </>
          )}
          {!mayWrite && <p className="mt-6 text-center text-faint text-xs">{words.viewer}</p>}
        </TabPanel>
      </Tabs>
    </Page>
  );
}

function Actions({ proposed, search, mayWrite }: { proposed: number; search: HubSearch; mayWrite: boolean }) {
  return (
    <>
      <Transfer search={search} mayWrite={mayWrite} />
      <Tooltip text={words.reviewCount(proposed)} keys="r">
        <Button render={<Link to="/knowledge/review" />}>
          <ClipboardCheck /> {words.toReview}
          {proposed > 0 && <Badge tone="amber">{proposed > 999 ? "999+" : proposed}</Badge>}
        </Button>
      </Tooltip>
      {mayWrite && (
        <Tooltip text={words.writeWhat(search.kind ? labels.kindName[search.kind].one : "item")} keys="n">
          <Button
            variant="primary"
            render={<Link to="/knowledge/new" search={search.kind ? { kind: search.kind } : {}} />}
          >
            <PencilLine /> {words.write}
          </Button>
        </Tooltip>
      )}
    </>
  );
}

function Loading() {
  return (
    <div className="flex flex-col gap-2" aria-hidden>
      {[0, 1, 2, 3, 4, 5].map((n) => (
        <Skeleton key={n} className="h-18 rounded-lg" />
      ))}
    </div>
  );
}

function Nothing({
  search,
  go,
  mayWrite,
}: {
  search: HubSearch;
  go: (search: HubSearch) => void;
  mayWrite: boolean;
}) {
  const kind = search.kind === undefined ? {} : { kind: search.kind };
  if (isNarrowed(search))
    return (
      <Empty
        icon={<SearchX />}
        title={words.none.title}
        action={<Button onClick={() => go(kind)}>{words.filters.clear}</Button>}
      >
        {words.none.text}
      </Empty>
    );
  return (
    <Empty
      icon={<BookOpen />}
      title={words.empty.title}
      action={
        mayWrite && (
          <Button variant="primary" render={<Link to="/knowledge/new" search={kind} />}>
            {words.empty.action}
          </Button>
        )
      }
    >
      {search.kind === undefined ? words.empty.text : words.empty[search.kind]}
    </Empty>
  );
}

/** Fetches more when one comes near the end of the list, or by the button. After a failure only the button does. */
function More({ busy, failed, onMore }: { busy: boolean; failed: boolean; onMore: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const more = useRef(onMore);
  useEffect(() => {
    more.current = onMore;
  });
  useEffect(() => {
    if (box.current === null || busy || failed) return;
    const observer = new IntersectionObserver(
      (seen) => seen.some((entry) => entry.isIntersecting) && more.current(),
      { rootMargin: "400px" },
    );
    observer.observe(box.current);
    return () => observer.disconnect();
  }, [busy, failed]);
  return (
    <div ref={box} className="mt-4 flex flex-col items-center gap-2">
      {failed && !busy && (
        <p role="alert" className="text-center text-red text-sm">
          {words.moreFailed}
        </p>
      )}
      <Button busy={busy} onClick={onMore}>
        {failed ? words.moreAgain : words.more}
      </Button>
    </div>
  );
}
