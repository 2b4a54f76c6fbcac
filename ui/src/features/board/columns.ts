import type { FeatureCard, FeatureStatus } from "@/api/types";
import { type FeatureAction, planWaits } from "@/features/actions";
import { boardOrder } from "@/live/recent";

export type ColumnId = "backlog" | "working" | "stopped" | "review" | "verified" | "completed";

export interface Column {
  id: ColumnId;
  title: string;
  statuses: FeatureStatus[];
  /** What an empty column is for. */
  empty: string;
}

export const COLUMNS: readonly Column[] = [
  { id: "backlog", title: "Backlog", statuses: ["backlog"], empty: "Cards that nobody has started." },
  {
    id: "working",
    title: "In progress",
    statuses: ["in_progress", "queued"],
    empty: "Drag a card here, or press s on it, and an agent starts.",
  },
  {
    id: "stopped",
    title: "Needs attention",
    statuses: ["failed", "paused"],
    empty: "What failed or was stopped waits here.",
  },
  {
    id: "review",
    title: "Waiting for approval",
    statuses: ["waiting_approval"],
    empty: "Finished work waits here for you to look at it.",
  },
  {
    id: "verified",
    title: "Verified",
    statuses: ["verified"],
    empty: "Checked and agreed: ready to be merged.",
  },
  { id: "completed", title: "Completed", statuses: ["completed"], empty: "Merged into the default branch." },
];

const OF_STATUS = new Map(
  COLUMNS.flatMap((column) => column.statuses.map((status) => [status, column.id] as const)),
);

export function columnOf(status: FeatureStatus): ColumnId {
  return OF_STATUS.get(status) ?? "backlog";
}

const latestFirst = (a: FeatureCard, b: FeatureCard) => b.updatedAt.localeCompare(a.updatedAt);
const byStatus = (first: FeatureStatus) => (a: FeatureCard, b: FeatureCard) =>
  Number(b.status === first) - Number(a.status === first);

const ORDER: Record<ColumnId, (a: FeatureCard, b: FeatureCard) => number> = {
  backlog: boardOrder,
  // At work before waiting; the longest at work first, the next in turn first.
  working: (a, b) =>
    byStatus("in_progress")(a, b) ||
    (a.status === "in_progress"
      ? (a.startedAt ?? a.updatedAt).localeCompare(b.startedAt ?? b.updatedAt)
      : a.priority - b.priority || boardOrder(a, b)),
  stopped: (a, b) => byStatus("failed")(a, b) || latestFirst(a, b),
  // Whoever waits longest comes first.
  review: (a, b) => (a.finishedAt ?? a.updatedAt).localeCompare(b.finishedAt ?? b.updatedAt),
  verified: latestFirst,
  completed: latestFirst,
};

/** The cards of each column, in the order in which they are shown. */
export function arrange(cards: readonly FeatureCard[]): Record<ColumnId, FeatureCard[]> {
  const columns: Record<ColumnId, FeatureCard[]> = {
    backlog: [],
    working: [],
    stopped: [],
    review: [],
    verified: [],
    completed: [],
  };
  for (const card of cards) columns[columnOf(card.status)].push(card);
  for (const { id } of COLUMNS) columns[id].sort(ORDER[id]);
  return columns;
}

/** What it means to put a card into a column. */
export type Move =
  | { kind: "action"; action: FeatureAction; verb: string }
  | { kind: "reorder"; verb: string }
  | { kind: "none" }
  | { kind: "refused"; why: string };

const refused = (why: string): Move => ({ kind: "refused", why });
const action = (name: FeatureAction, verb: string): Move => ({ kind: "action", action: name, verb });

/** What happens when `card` is put into the column `to`. The server has the last word. */
export function moveTo(card: FeatureCard, to: ColumnId): Move {
  const from = columnOf(card.status);
  if (from === to) return to === "backlog" ? { kind: "reorder", verb: "Move" } : { kind: "none" };
  if (from === "completed") return refused("It is merged; write a new card to change it.");
  const active = from === "working";
  switch (to) {
    case "backlog":
      return active && !planWaits(card) ? refused("Stop it first.") : action("shelve", "Move to backlog");
    case "working":
      if (from === "backlog") return action("start", "Start");
      if (from === "stopped") return action("retry", card.status === "failed" ? "Retry" : "Resume");
      return refused("Open it and say what to change.");
    case "stopped":
      return active ? action("stop", "Stop") : refused("Only work under way can be stopped.");
    case "review":
      return refused("The agent brings it here when it is done.");
    case "verified":
      return from === "review" ? action("verify", "Verify") : refused("Only finished work can be verified.");
    case "completed":
      return from === "review" || from === "verified"
        ? action("merge", "Merge")
        : refused("Only finished work can be merged.");
  }
}
