import { send } from "@/api/client";
import { ApiError } from "@/api/error";
import { bodyOf, type Draft, titleOf } from "./draft";
import { type HubSearch, pluralOf } from "./search";
import {
  type Application,
  type Hit,
  type ImportReport,
  type Item,
  KINDS,
  type Kind,
  type Known,
  type Learning,
  type Outcome,
  type Rule,
  type RunKnowledge,
  type Similar,
  type Version,
} from "./types";

export interface Page<T> {
  items: T[];
  next: string | null;
}

/** Which items; `since` is a moment. */
export type Asked = Omit<HubSearch, "since" | "deleted"> & { since?: string };

/** The most that a search finds. */
const FOUND = 50;
const LISTED = 50;
const QUEUED = 100;

const address = (path: string, query: object) => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `/api/${path}${text === "" ? "" : `?${text}`}`;
};

async function get<T>(path: string, query: object = {}, signal?: AbortSignal): Promise<T> {
  return (await send(address(path, query), { signal: signal ?? null })).json();
}

async function write<T>(
  method: "POST" | "PUT" | "DELETE",
  path: string,
  body?: object,
  query: object = {},
): Promise<T> {
  // A request and not its parts: it can be sent once more, after the member has proved who they are.
  const request = new Request(new URL(address(path, query), location.href), {
    method,
    ...(body === undefined
      ? {}
      : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const answer = await send(request);
  return answer.status === 204 ? (undefined as T) : answer.json();
}

const all = (kind: Kind) => `knowledge/${pluralOf(kind)}`;
const one = (kind: Kind, id: string) => `${all(kind)}/${id}`;

/** An item of a list as a search would find it. */
export function hitOf(item: Item): Hit {
  const learning = item.kind === "learning" ? item : undefined;
  return {
    id: item.id,
    kind: item.kind,
    title: titleOf(item),
    description: item.description,
    score: 0,
    snippet: { text: "", marks: [] },
    tags: item.tags,
    type: item.kind === "blueprint" ? item.category : item.type,
    review: learning?.review ?? "accepted",
    ...(item.kind === "blueprint" ? { status: item.status } : {}),
    createdBy: item.createdBy,
    origin: item.origin,
    updatedAt: item.updatedAt,
    applicationCount: learning?.applicationCount ?? 0,
    successCount: learning?.successCount ?? 0,
    failureCount: learning?.failureCount ?? 0,
  };
}

/** Where the hub is given out as an archive: all of it, or what is of a kind and has a tag. */
export const exportUrl = ({ kind, tag }: HubSearch) => address("knowledge/export", { kind, tag });
/** Where an item is given out as a file. */
export const fileUrl = (id: string) => address(`knowledge/items/${id}/markdown`, {});

/** Every request that the pages of the hub make, one function each. */
export const hub = {
  /** A page of what a search finds, the best first, or of all there is, the latest change first. */
  search: (asked: Asked, after: string | undefined, signal?: AbortSignal) =>
    get<Page<Hit>>("knowledge/search", { ...asked, after, limit: FOUND }, signal),
  deleted: async (after: string | undefined, signal?: AbortSignal): Promise<Page<Hit>> => {
    const page = await get<Page<Item>>("knowledge/deleted", { after, limit: LISTED }, signal);
    return { items: page.items.map(hitOf), next: page.next };
  },
  queue: (after: string | undefined, signal?: AbortSignal) =>
    get<Page<Learning>>(all("learning"), { review: "proposed", after, limit: QUEUED }, signal),
  /** An item with what it is related to; a deleted one without that. */
  item: async (id: string, kind: Kind | undefined, signal?: AbortSignal): Promise<Known> => {
    try {
      return await get<Known>(`knowledge/items/${id}`, {}, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      // Whoever knows no more than its id asks for each kind.
      const kinds = kind === undefined ? KINDS : [kind];
      const found = kinds.map((kind) => get<Item>(one(kind, id), {}, signal));
      const item = await Promise.any(found).catch(() => {
        throw error;
      });
      return { item, related: [], relatedFrom: [] };
    }
  },
  create: (kind: Kind, draft: Draft, anyway: boolean) =>
    write<Item>("POST", all(kind), bodyOf(kind, draft), anyway ? { anyway } : {}),
  /** Keeps something that a run found. */
  promote: (runId: string, kind: Kind, draft: Draft, anyway: boolean) =>
    write<Item>(
      "POST",
      `runs/${runId}/knowledge`,
      { kind, ...bodyOf(kind, draft) },
      anyway ? { anyway } : {},
    ),
  update: (kind: Kind, id: string, draft: Draft, version: number, why: string) =>
    write<Item>("PUT", one(kind, id), {
      ...bodyOf(kind, draft, true),
      version,
      ...(why.trim() === "" ? {} : { why: why.trim() }),
    }),
  remove: (kind: Kind, id: string) => write<void>("DELETE", one(kind, id)),
  /** A deleted item, or the text of a former version; that only if the item is still at `current`. */
  restore: (kind: Kind, id: string, former?: { version: number; current: number }) =>
    write<Item>("POST", `${one(kind, id)}/restore`, former ?? {}),
  /** For good: the item, or former texts of it. */
  erase: (kind: Kind, id: string, versions?: readonly number[]) =>
    write<void>("POST", `${one(kind, id)}/erase`, versions === undefined ? {} : { versions }),
  versions: (kind: Kind, id: string, after: string | undefined, signal?: AbortSignal) =>
    get<Page<Version>>(`${one(kind, id)}/versions`, { after, limit: LISTED }, signal),
  version: (kind: Kind, id: string, version: number, signal?: AbortSignal) =>
    get<Version>(`${one(kind, id)}/versions/${version}`, {}, signal),
  similar: async (kind: Kind, title: string, content: string, but: string | null, signal?: AbortSignal) =>
    (await get<{ items: Similar[] }>("knowledge/similar", { kind, title, content, but }, signal)).items,
  /** `draft` is the learning as it ought to be, where it had to be corrected. */
  verify: (id: string, version: number, draft: Draft | null) =>
    write<Learning>("POST", `knowledge/learnings/${id}/verify`, {
      version,
      ...(draft === null ? {} : { draft: bodyOf("learning", draft) }),
    }),
  reject: (id: string, version: number, reason: string) =>
    write<Learning>("POST", `knowledge/learnings/${id}/reject`, { reason, version }),
  apply: (id: string, outcome: Outcome) =>
    write<{ learning: Learning }>("POST", `knowledge/learnings/${id}/apply`, { outcome }),
  applications: async (id: string, signal?: AbortSignal) =>
    (await get<{ items: Application[] }>(`knowledge/learnings/${id}/applications`, {}, signal)).items,
  /** What a run brought into the hub, deleted or not, and used of it. */
  ofRun: (runId: string, signal?: AbortSignal) => get<RunKnowledge>(`runs/${runId}/knowledge`, {}, signal),
  rollBack: async (runId: string, reason: string) =>
    (await write<{ items: number }>("POST", `runs/${runId}/knowledge/roll-back`, { reason })).items,
  import: async (archive: Blob, anyway: boolean): Promise<ImportReport> => {
    const request = new Request(
      new URL(address("knowledge/import", anyway ? { anyway } : {}), location.href),
      {
        method: "POST",
        headers: { "content-type": "application/x-tar" },
        body: archive,
      },
    );
    return (await send(request)).json();
  },
  rule: (signal?: AbortSignal) => get<Rule>("settings/knowledge", {}, signal),
  putRule: (rule: Rule) => write<Rule>("PUT", "settings/knowledge", rule),
};
