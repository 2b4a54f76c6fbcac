import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { hub } from "./calls";
import { hubKeys } from "./keys";
import { type HubSearch, sinceOf } from "./search";
import type { Item, Kind } from "./types";

// The socket makes stale what changes.
const LIVE = { staleTime: Number.POSITIVE_INFINITY } as const;
const SHORTEST = 4;

export const hubQueries = {
  /** What a search finds, or everything, the latest change first. An older search is given up for a newer one. */
  search: ({ since, deleted: _, ...asked }: HubSearch) =>
    infiniteQueryOptions({
      queryKey: [...hubKeys.search, { ...asked, since }],
      queryFn: ({ pageParam, signal }) => {
        const from = sinceOf(since, Date.now());
        return hub.search({ ...asked, ...(from === undefined ? {} : { since: from }) }, pageParam, signal);
      },
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      placeholderData: keepPreviousData,
      ...LIVE,
    }),
  /** What was deleted last, first. */
  deleted: () =>
    infiniteQueryOptions({
      queryKey: hubKeys.deleted,
      queryFn: ({ pageParam, signal }) => hub.deleted(pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      ...LIVE,
    }),
  /** Learnings that wait for a member. */
  queue: () =>
    infiniteQueryOptions({
      queryKey: hubKeys.queue,
      queryFn: ({ pageParam, signal }) => hub.queue(pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      ...LIVE,
    }),
  /** An item with what it is related to. */
  item: (id: string, kind?: Kind) =>
    queryOptions({
      queryKey: hubKeys.item(id),
      queryFn: ({ signal }) => hub.item(id, kind, signal),
      ...LIVE,
    }),
  versions: (kind: Kind, id: string) =>
    infiniteQueryOptions({
      queryKey: hubKeys.versions(id),
      queryFn: ({ pageParam, signal }) => hub.versions(kind, id, pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      ...LIVE,
    }),
  // A version never changes, unless it is erased.
  version: (kind: Kind, id: string, version: number) =>
    queryOptions({
      queryKey: hubKeys.version(id, version),
      queryFn: ({ signal }) => hub.version(kind, id, version, signal),
      ...LIVE,
    }),
  similar: (kind: Kind, title: string, content: string, but: string | null) =>
    queryOptions({
      queryKey: [...hubKeys.similar, kind, but, title, content],
      queryFn: ({ signal }) => hub.similar(kind, title, content, but, signal),
      enabled: title.length >= SHORTEST,
      placeholderData: keepPreviousData,
      staleTime: 30_000,
      retry: false,
    }),
  applications: (item: Pick<Item, "kind" | "id">) =>
    queryOptions({
      queryKey: hubKeys.applications(item.id),
      queryFn: ({ signal }) => hub.applications(item.id, signal),
      enabled: item.kind === "learning",
      ...LIVE,
    }),
  /** What a run brought into the hub; asked anew when it is known to have brought more. Whose it is changes as well. */
  ofRun: (runId: string, count = 0) =>
    queryOptions({
      queryKey: [...hubKeys.ofRun(runId), count],
      queryFn: ({ signal }) => hub.ofRun(runId, signal),
    }),
  rule: () => queryOptions({ queryKey: hubKeys.rule, queryFn: ({ signal }) => hub.rule(signal) }),
};
