import type { Backup, BackupsView } from "@/api/types";
import { words } from "./strings";

/** How backups stand, in a word. */
export type Standing = "off" | "none" | "good" | "unchecked" | "old" | "bad";

/** What is wrong with one, or with what it builds on. */
export function problemOf(one: Backup): string | null {
  if (one.problem ?? one.verifyProblem) return one.problem ?? one.verifyProblem ?? null;
  return one.unsoundBelow ? words.unsoundBelow(one.unsoundBelow) : null;
}

/**
 * The one word that matters: whether what was last made, or was to be made, where they go now, is there, sound as far as anybody
 * knows, and not too old. What lies elsewhere, or is another team's, is no backup of this one.
 */
export function standing(view: BackupsView): Standing {
  const here = view.items.filter((one) => view.destination === null || one.destination === view.destination);
  const ended = here.find((one) => one.status !== "running");
  if (view.destination === null && ended === undefined) return "off";
  if (ended && (ended.status === "failed" || problemOf(ended))) return "bad";
  if (view.overdue) return "old";
  if (view.lastGoodAt === null) return "none";
  return view.lastGoodUnchecked ? "unchecked" : "good";
}

/** For how long after it was made one is likely to be looked at, in milliseconds. */
const LOOKING = 5 * 60_000;

/** Whether the page soon has something else to say: one is being made, or was just made and nobody has looked at it yet. */
export function changesSoon(view: BackupsView, now: number): boolean {
  const [latest] = view.items;
  const fresh = latest?.endedAt != null && now - Date.parse(latest.endedAt) < LOOKING;
  return underWay(view) || (fresh && latest.status === "done" && latest.unchecked !== null);
}

/** Whether one is being made. */
export function underWay(view: BackupsView): boolean {
  return view.items.some((one) => one.status === "running");
}
