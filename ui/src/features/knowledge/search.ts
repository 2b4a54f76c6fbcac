import {
  type BlueprintStatus,
  CATEGORIES,
  CONFIDENCES,
  type Confidence,
  ENTRY_TYPES,
  KINDS,
  type Kind,
  LEARNING_TYPES,
  ORIGINS,
  type Origin,
  REVIEWS,
  type Review,
  STATUSES,
} from "./types";

export const SPANS = ["1", "7", "30", "365"] as const;
/** Days back from now. */
export type Span = (typeof SPANS)[number];

/** What the hub's address holds: what is looked for, and which items. */
export interface HubSearch {
  q?: string;
  kind?: Kind;
  tag?: string;
  /** Category of a blueprint, type of an entry or a learning. */
  type?: string;
  status?: BlueprintStatus;
  review?: Review;
  /** How sure a learning is. */
  confidence?: Confidence;
  /** The programming language that it speaks of. */
  language?: string;
  /** By whom it came: members, agents or programs. */
  origin?: Origin;
  /** The member who wrote it, or whose agent or program did. */
  author?: string;
  since?: Span;
  /** What was deleted, and nothing else. */
  deleted?: true;
}

/** What the address of an item holds. */
export interface ItemSearch {
  tab?: "history";
  edit?: true;
  from?: number;
  to?: number;
}

/** What the address of a new item holds: its kind, and the run in which it was found. */
export interface NewSearch {
  kind?: Kind;
  run?: string;
}

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const one = <T extends string>(list: readonly T[], value: unknown): T | undefined =>
  list.find((entry) => entry === String(value));
const text = (value: unknown, most: number) => {
  // A word of digits comes out of the address as a number.
  const found = typeof value === "number" ? String(value) : value;
  return typeof found === "string" && found.trim() !== "" && found.length <= most ? found : undefined;
};
const id = (value: unknown) => (typeof value === "string" && ID.test(value) ? value : undefined);

/** Leaves out what is not there. */
function given<T extends object>(found: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as T;
}

/** The types that items of a kind can have. */
export function typesOf(kind: Kind | undefined): readonly string[] {
  if (kind === "blueprint") return CATEGORIES;
  if (kind === "entry") return ENTRY_TYPES;
  return kind === "learning" ? LEARNING_TYPES : [];
}

/** Reads the hub's address; what does not fit the kind is left out. */
export function hubSearch(search: Record<string, unknown>): HubSearch {
  const kind = one(KINDS, search.kind);
  return given<HubSearch>({
    q: text(search.q, 500),
    kind,
    tag: text(search.tag, 40),
    type: one(typesOf(kind), search.type),
    status: kind === "blueprint" ? one(STATUSES, search.status) : undefined,
    review: kind === "learning" ? one(REVIEWS, search.review) : undefined,
    confidence: kind === "learning" ? one(CONFIDENCES, search.confidence) : undefined,
    language: text(search.language, 40),
    origin: one(ORIGINS, search.origin),
    author: id(search.author),
    since: one(SPANS, search.since),
    deleted: search.deleted === true ? true : undefined,
  });
}

export function itemSearch(search: Record<string, unknown>): ItemSearch {
  const number = (value: unknown) =>
    Number.isInteger(value) && (value as number) > 0 ? (value as number) : undefined;
  return given<ItemSearch>({
    tab: search.tab === "history" ? "history" : undefined,
    edit: search.edit === true ? true : undefined,
    from: number(search.from),
    to: number(search.to),
  });
}

export function newSearch(search: Record<string, unknown>): NewSearch {
  return given<NewSearch>({
    kind: one(KINDS, search.kind),
    run: id(search.run),
  });
}

/** Whether anything narrows the list but the kind. */
export const isNarrowed = ({ kind: _, ...rest }: HubSearch) => Object.keys(rest).length > 0;

/** From which moment on, so many days back. The minute does, so that the same question is asked for a while. */
export function sinceOf(span: Span | undefined, now: number): string | undefined {
  if (span === undefined) return undefined;
  const minute = 60_000;
  return new Date(Math.floor(now / minute) * minute - Number(span) * 24 * 60 * minute).toISOString();
}

const PLURALS: Record<Kind, string> = { blueprint: "blueprints", entry: "entries", learning: "learnings" };

/** The word for a kind in addresses. */
export const pluralOf = (kind: Kind) => PLURALS[kind];
/** The kind that an address names. */
export const kindOf = (plural: string): Kind | undefined => KINDS.find((kind) => PLURALS[kind] === plural);
