import type { Feature, FeatureCard, RunHistoryEvent } from "@/api/types";

/**
 * What the socket brought lately. An answer that left the server before an event, and arrives after it, would put old
 * cards in place of new ones; every list that is fetched is therefore laid under what is remembered here.
 */
const KEEP_MS = 60_000;

type Seen = { at: number; projectId: string; card: FeatureCard | null };
const cards = new Map<string, Seen>();

/** Cards without their texts, which the board does not need. */
export function toCard(feature: FeatureCard | Feature): FeatureCard {
  const { description: _, summary: __, ...card } = feature as Feature;
  return card;
}

export function rememberFeature(feature: FeatureCard | Feature, now = Date.now()) {
  // What is no card is on no board.
  if (feature.kind !== "card") return;
  const seen = cards.get(feature.id);
  if (seen?.card && seen.card.version > feature.version) return;
  cards.set(feature.id, { at: now, projectId: feature.projectId, card: toCard(feature) });
}

export function rememberDeleted(featureId: string, projectId: string, now = Date.now()) {
  cards.set(featureId, { at: now, projectId, card: null });
}

export const isRemembered = (featureId: string) => cards.has(featureId);

/** Board order: by position, then by number. */
export function boardOrder(a: FeatureCard, b: FeatureCard): number {
  return a.position - b.position || a.number - b.number;
}

/** Lays a fetched list under what the socket brought since. `wanted` says which cards belong in the list. */
export function overlay(
  projectId: string,
  fetched: FeatureCard[],
  wanted: (card: FeatureCard) => boolean,
  now = Date.now(),
): FeatureCard[] {
  const byId = new Map(fetched.map((card) => [card.id, card]));
  for (const [id, seen] of cards) {
    if (now - seen.at > KEEP_MS) cards.delete(id);
    else if (seen.projectId !== projectId) continue;
    else if (seen.card === null) byId.delete(id);
    else if ((byId.get(id)?.version ?? -1) < seen.card.version) byId.set(id, seen.card);
  }
  return [...byId.values()].filter(wanted).sort(boardOrder);
}

export function forgetRecent() {
  cards.clear();
  things.clear();
  pending.clear();
}

/** Things that bear no version: the latest that the socket brought of each, and when. */
const things = new Map<string, { at: number; value: unknown }>();

export type Thing = "project" | "run" | "feature";

export function rememberThing(kind: Thing, id: string, value: unknown, now = performance.now()) {
  things.delete(`${kind} ${id}`);
  things.set(`${kind} ${id}`, { at: now, value });
  // The oldest go first; a page does not have that many requests under way.
  if (things.size > 500) for (const key of [...things.keys()].slice(0, 100)) things.delete(key);
}

/**
 * What the socket brought of a thing since a request for it began: that is no older than what the request finds, or what
 * is newer is already on its way by the socket.
 */
export function broughtSince<T>(kind: Thing, id: string, began: number): T | undefined {
  const thing = things.get(`${kind} ${id}`);
  return thing !== undefined && thing.at >= began ? (thing.value as T) : undefined;
}

/** Fetches a thing, and prefers what the socket brings of it meanwhile. */
export async function fetchUnder<T extends object>(
  kind: Thing,
  id: string,
  fetch: () => Promise<T>,
): Promise<T> {
  const began = performance.now();
  const fetched = await fetch();
  return { ...fetched, ...broughtSince<T>(kind, id, began) };
}

const pending = new Map<string, Set<RunHistoryEvent[]>>();

/** Collects the events of a run that arrive while its history is being fetched. Call the second part when it is there. */
export function collectRunEvents(runId: string): [events: RunHistoryEvent[], stop: () => void] {
  const events: RunHistoryEvent[] = [];
  const set = pending.get(runId) ?? new Set();
  set.add(events);
  pending.set(runId, set);
  return [
    events,
    () => {
      set.delete(events);
      if (set.size === 0) pending.delete(runId);
    },
  ];
}

export function rememberRunEvent(event: RunHistoryEvent) {
  for (const events of pending.get(event.runId) ?? []) events.push(event);
}

/** Joins two ascending lists of events; each number once. */
export function joinEvents(first: RunHistoryEvent[], second: RunHistoryEvent[]): RunHistoryEvent[] {
  const last = first.at(-1)?.seq ?? -1;
  const firstNew = second[0];
  if (firstNew === undefined) return first;
  if (firstNew.seq > last) return [...first, ...second];
  const bySeq = new Map<number, RunHistoryEvent>();
  for (const event of first) bySeq.set(event.seq, event);
  for (const event of second) bySeq.set(event.seq, event);
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}
