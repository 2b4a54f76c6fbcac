import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { ArrowLeftRight, RotateCcw } from "lucide-react";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { cn } from "@/lib/cn";
import { Time } from "@/lib/time";
import { useRestore } from "./deeds";
import { type Draft, draftOfVersion, sameDraft, textOf } from "./draft";
import { EraseVersion } from "./erase";
import { fieldName } from "./field-name";
import { useName } from "./people";
import { hubQueries } from "./queries";
import type { ItemSearch } from "./search";
import { words } from "./strings";
import { TextDiff } from "./text-diff-view";
import { useTitles } from "./titles";
import type { Item, Kind, Version } from "./types";

const h = words.history;

/** Every version of an item: who, when and why; two of them side by side; and the way back to one. */
export function History({
  item,
  search,
  go,
  mayWrite,
}: {
  item: Item;
  search: ItemSearch;
  go: (search: ItemSearch) => void;
  mayWrite: boolean;
}) {
  const list = useInfiniteQuery(hubQueries.versions(item.kind, item.id));
  const versions = list.data?.pages.flatMap((page) => page.items) ?? [];
  const to = search.to ?? item.version;
  const from = search.from ?? Math.max(1, to - 1);
  const choose = (next: { from?: number; to?: number }) => go({ tab: "history", from, to, ...next });
  if (list.isError && versions.length === 0)
    return <ErrorState error={list.error} onRetry={() => void list.refetch()} />;
  return (
    <div className="grid items-start gap-6 lg:grid-cols-[20rem_minmax(0,1fr)]">
      <section aria-label={h.title}>
        {list.isPending && <Skeleton className="h-40 rounded-xl" />}
        <ol className="flex flex-col divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface shadow-card empty:hidden">
          {versions.map((version) => (
            <One
              key={version.version}
              item={item}
              version={version}
              shown={version.version === from || version.version === to}
              mayWrite={mayWrite}
              onCompare={() => choose({ from: Math.max(1, version.version - 1), to: version.version })}
            />
          ))}
        </ol>
        {list.hasNextPage && (
          <Button
            className="mt-3"
            size="sm"
            busy={list.isFetchingNextPage}
            onClick={() => void list.fetchNextPage()}
          >
            {h.more}
          </Button>
        )}
      </section>
      <section aria-label={h.compare} className="min-w-0">
        <div className="mb-3 flex flex-wrap items-center gap-2">
          <h2 className="mr-2 font-semibold text-base">{h.compare}</h2>
          <Choose label={h.from} value={from} most={item.version} onChange={(from) => choose({ from })} />
          <ArrowLeftRight aria-hidden className="size-4 text-faint" />
          <Choose label={h.to} value={to} most={item.version} onChange={(to) => choose({ to })} />
        </div>
        <Difference kind={item.kind} id={item.id} from={from} to={to} />
      </section>
    </div>
  );
}

function Choose({
  label,
  value,
  most,
  onChange,
}: {
  label: string;
  value: number;
  most: number;
  onChange: (version: number) => void;
}) {
  return (
    <Select
      variant="chip"
      label={label}
      value={String(value)}
      onChange={(next) => onChange(Number(next))}
      options={Array.from({ length: most }, (_, n) => {
        const version = most - n;
        return { value: String(version), label: h.version(version) };
      })}
    />
  );
}

function One({
  item,
  version,
  shown,
  mayWrite,
  onCompare,
}: {
  item: Item;
  version: Version;
  shown: boolean;
  mayWrite: boolean;
  onCompare: () => void;
}) {
  const name = useName();
  const restore = useRestore(item.kind);
  const by = version.origin === "agent" ? `${h.byAgent} ` : version.origin === "token" ? `${h.byToken} ` : "";
  const current = version.version === item.version;
  return (
    <li className={cn("flex flex-col gap-1 px-3 py-2.5 text-sm", shown && "bg-selected")}>
      <div className="flex items-center gap-2">
        <span className="font-medium">{h.version(version.version)}</span>
        {current && <Badge tone="outline">{h.current}</Badge>}
        {version.erasedAt !== null && <Badge tone="grey">{h.erased}</Badge>}
        <span className="flex-1" />
        <Time at={version.at} className="text-faint text-xs" />
      </div>
      <p className="text-muted text-xs">
        {by}
        {name(version.memberId)} {h.deed[version.deed]}
      </p>
      {version.why && <p className="text-xs [overflow-wrap:anywhere]">{version.why}</p>}
      <div className="-ml-2 flex flex-wrap gap-1">
        <Button
          size="sm"
          variant="ghost"
          onClick={onCompare}
          aria-label={`${h.mark}: ${h.version(version.version)}`}
        >
          <ArrowLeftRight /> {h.compare}
        </Button>
        {mayWrite && !current && version.erasedAt === null && (
          <Button
            size="sm"
            variant="ghost"
            aria-label={h.restoreOf(version.version)}
            busy={restore.isPending}
            onClick={() => restore.mutate({ item, version: version.version })}
          >
            <RotateCcw /> {h.restore}
          </Button>
        )}
        {!current && version.erasedAt === null && <EraseVersion item={item} version={version.version} />}
      </div>
    </li>
  );
}

function Difference({ kind, id, from, to }: { kind: Kind; id: string; from: number; to: number }) {
  const before = useQuery(hubQueries.version(kind, id, from));
  const after = useQuery(hubQueries.version(kind, id, to));
  const [old, now] = [before.data?.draft, after.data?.draft];
  const title = useTitles([...(old?.related ?? []), ...(now?.related ?? [])]);
  const failed = [before, after].find((query) => query.isError);
  if (failed) return <ErrorState error={failed.error} onRetry={() => void failed.refetch()} />;
  if (before.data?.erasedAt || after.data?.erasedAt)
    return <p className="text-muted text-sm">{h.erasedText}</p>;
  if (old === undefined || now === undefined) return <Skeleton className="h-64 rounded-lg" />;
  const [a, b] = [draftOfVersion(old), draftOfVersion(now)];
  if (sameDraft(a, b)) return <p className="text-muted text-sm">{h.same}</p>;
  const text = (draft: Draft) => textOf(kind, { ...draft, related: draft.related.map(title) }, fieldName);
  return <TextDiff key={`${from} ${to}`} before={text(a)} after={text(b)} label={h.changes(from, to)} />;
}
