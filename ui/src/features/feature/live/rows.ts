import type { RunStatus } from "@/api/types";
import { s } from "../strings";
import type { RowData } from "./Row";
import { type Activity, activityOf, type Writing } from "./stream";
import type { Item, Timeline } from "./timeline";
import { sayingOf } from "./tools";

/** The rows of a timeline with what is being written just now, and a last one while the agent is at work. */
export function rowsOf(timeline: Timeline, writing: Writing, status: RunStatus): RowData[] {
  // What ran when a run lost its place has no answer, and nobody waits for one.
  const still = (item: Item): Item =>
    status !== "running" && item.kind === "tool" && item.state === "running"
      ? { ...item, state: "interrupted" }
      : item;
  const rows: RowData[] = timeline.items.map(still).map((item) => ({
    kind: "item",
    key: item.key,
    item,
    live:
      item.kind === "tool" && item.state === "running"
        ? writing.calls.get(item.call)
        : item.kind === "check" && item.check.status === "running"
          ? writing.checks.get(item.check.command)
          : undefined,
    facts: item.first && item.turn !== null ? timeline.turns.get(item.turn) : undefined,
  }));
  if (status !== "running") return rows;
  for (const live of writing.tail) {
    rows.push({ kind: "live", key: `live:${live.key}`, live, last: live === writing.tail.at(-1) });
  }
  const activity = activityOf(timeline, writing);
  if (writing.tail.length === 0 && (activity.kind === "asking" || activity.kind === "starting")) {
    rows.push({ kind: "working", key: "working", text: wordsOf(activity) });
  }
  return rows;
}

/** What the agent is at, in a few words. */
export function wordsOf(activity: Activity): string {
  switch (activity.kind) {
    case "tool": {
      const { verb, target, more } = sayingOf(activity.item);
      return [verb, target || more].filter(Boolean).join(" ");
    }
    case "check":
      return `${s.live.activity.check} ${activity.command}`;
    case "waiting":
      // Its first sentence; the timeline has the rest.
      return activity.reason.split(/\.(?:\s|$)/)[0] ?? "";
    default:
      return s.live.activity[activity.kind];
  }
}
