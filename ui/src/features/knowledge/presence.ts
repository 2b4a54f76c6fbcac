import { useEffect, useSyncExternalStore } from "react";
import { useMembers } from "@/api/queries";
import { onKnowledge } from "@/live/knowledge";
import { saySomething } from "@/live/socket";

/** How often it is said that one still writes; the others forget it after half a minute. */
const AGAIN_MS = 10_000;

/** Who writes at what, as far as this page was told, and until when that holds. */
export class Presence {
  private held = new Map<string, Map<string, number>>();
  private listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** What is shown; another array only when it is another list. */
  private shown = new Map<string, readonly string[]>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Takes in what was told; answers whether this member is new at this item. */
  hear(itemId: string, memberId: string, seconds: number): boolean {
    const members = this.held.get(itemId) ?? new Map<string, number>();
    const known = members.has(memberId);
    if (seconds > 0) members.set(memberId, this.now() + seconds * 1_000);
    else members.delete(memberId);
    this.held.set(itemId, members);
    this.tell();
    return seconds > 0 && !known;
  }

  at(itemId: string): readonly string[] {
    return this.shown.get(itemId) ?? NOBODY;
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Forgets who has not been heard of for long, and tells those who look. */
  private tell() {
    const now = this.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [itemId, members] of this.held) {
      for (const [memberId, until] of members) {
        if (until <= now) members.delete(memberId);
        else next = Math.min(next, until);
      }
      if (members.size === 0) this.held.delete(itemId);
    }
    const before = this.shown;
    this.shown = new Map(
      [...this.held].map(([itemId, members]) => {
        const [ids, was] = [[...members.keys()].sort(), before.get(itemId)];
        return [itemId, was?.join() === ids.join() ? was : ids];
      }),
    );
    clearTimeout(this.timer);
    if (next < Number.POSITIVE_INFINITY) this.timer = setTimeout(() => this.tell(), next - now + 1);
    for (const listener of this.listeners) listener();
  }
}

const NOBODY: readonly string[] = [];
const presence = new Presence();
/** At what this page writes just now. */
let mine: string | null = null;

const say = (itemId: string | null) =>
  saySomething(itemId === null ? { type: "knowledge.editing" } : { type: "knowledge.editing", itemId });

onKnowledge((frame) => {
  if (frame.type !== "knowledge.editing") return;
  const isNew = presence.hear(frame.itemId, frame.memberId, frame.seconds);
  // Whoever has just come cannot know yet who is here.
  if (isNew && frame.itemId === mine) say(mine);
});

/** Tells the others that one writes at this item, for as long as the component is there. */
export function useWriting(itemId: string | null) {
  useEffect(() => {
    if (itemId === null) return;
    mine = itemId;
    say(itemId);
    const timer = setInterval(() => say(itemId), AGAIN_MS);
    return () => {
      clearInterval(timer);
      if (mine === itemId) mine = null;
      say(null);
    };
  }, [itemId]);
}

/** The names of the other members who write at this item just now. */
export function useWriters(itemId: string): string[] {
  const ids = useSyncExternalStore(presence.subscribe, () => presence.at(itemId));
  const members = useMembers().data;
  return ids.map((id) => members?.find((member) => member.id === id)?.name ?? "Somebody");
}
