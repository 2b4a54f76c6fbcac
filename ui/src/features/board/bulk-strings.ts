import { plural } from "@/lib/format";

/** What the board says of several cards at once. */
export const bulk = {
  label: (count: number) => `${plural(count, "card")} selected`,
  start: "Start",
  move: "Move",
  moveNone: "Nothing moves all of these as they stand.",
  priority: "Priority",
  category: "Category",
  noCategory: "No category",
  otherCategory: "Another category…",
  model: "Model",
  noModel: "Default model",
  otherModel: "Another model…",
  agent: "Agent",
  remove: "Delete",
  clear: "Clear the selection",
  use: "Use this category",
  done: (count: number) => `Done for ${plural(count, "card")}`,
  refused: (count: number, of: number) => `Not done for ${count} of ${plural(of, "card")}:`,
  notDone: (cards: string) => `Not done for ${cards}`,
  dismiss: "Dismiss",
  mergeTitle: (count: number) => `Merge ${plural(count, "card")}?`,
  mergeText: (branch: string) => `One after the other, each as one commit on ${branch}:`,
  unverified: (count: number, of: number) =>
    count === of
      ? "None of them has been verified yet."
      : `${count} of them ${count === 1 ? "has" : "have"} not been verified yet.`,
  more: (count: number) => `and ${count} more`,
} as const;
