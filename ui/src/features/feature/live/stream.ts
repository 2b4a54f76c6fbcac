import type { LiveStream } from "@/live/output";
import type { Item, Timeline } from "./timeline";

/** What is being written just now, sorted by where it belongs. */
export interface Writing {
  /** The words and thoughts of the turn that is being made, in order. */
  tail: LiveStream[];
  /** What running commands print, by their call. */
  calls: ReadonlyMap<string, LiveStream>;
  /** What running checks print, by their command. */
  checks: ReadonlyMap<string, LiveStream>;
}

/**
 * Sorts live streams to the places in a timeline where they belong. An answer is stored whole: as soon as anything of a
 * turn is told, what was written of its words is old.
 */
export function writingOf(streams: readonly LiveStream[], timeline: Timeline): Writing {
  const told = timeline.items.reduce((most, item) => Math.max(most, item.turn ?? 0), 0);
  const tail: LiveStream[] = [];
  const calls = new Map<string, LiveStream>();
  const checks = new Map<string, LiveStream>();
  for (const live of streams) {
    const { stream } = live;
    if (stream.kind === "tool") calls.set(stream.call, live);
    else if (stream.kind === "check") checks.set(stream.command, live);
    // What a service prints belongs to no turn, and is shown with the services.
    else if (stream.kind === "service") continue;
    else if (live.turn > told && live.text !== "") tail.push(live);
  }
  // In the order of the answer: thoughts, then what is said.
  const order = (live: LiveStream) => ("block" in live.stream ? live.stream.block : 0);
  tail.sort((a, b) => a.turn - b.turn || order(a) - order(b));
  return { tail, calls, checks };
}

/** What the agent is at, for the line above the timeline. */
export type Activity =
  | { kind: "tool"; item: Extract<Item, { kind: "tool" }> }
  | { kind: "check"; command: string }
  | { kind: "thinking" | "writing" | "starting" | "asking" }
  | { kind: "waiting"; reason: string; until: string };

export function activityOf(timeline: Timeline, writing: Writing): Activity {
  for (let i = timeline.items.length - 1; i >= 0; i -= 1) {
    const item = timeline.items[i];
    if (item === undefined) break;
    if (item.kind === "waiting" && !item.over) {
      return { kind: "waiting", reason: item.reason, until: item.until };
    }
    if (item.kind === "tool" && item.state === "running") return { kind: "tool", item };
    if (item.kind === "check" && item.check.status === "running") {
      return { kind: "check", command: item.check.command };
    }
    if (item.kind === "ended" || item.kind === "started") break;
    // Only the calls of the turn that is at work can run.
    if (item.kind === "words" || item.kind === "thinking") break;
  }
  const last = writing.tail.at(-1);
  if (last !== undefined) return { kind: last.stream.kind === "thinking" ? "thinking" : "writing" };
  const told = timeline.items.some((item) => item.turn !== null);
  return { kind: told ? "asking" : "starting" };
}
