import type { Backup, BackupsView } from "@/api/types";
import { words } from "./strings";

/** How backups stand, in a word. */
export type Standing = "off" | "none" | "good" | "unchecked" | "bad";

/** What is wrong with one, or with what it builds on. */
export function problemOf(one: Backup): string | null {
  if (one.problem ?? one.verifyProblem) return one.problem ?? one.verifyProblem ?? null;
  return one.unsoundBelow ? words.unsoundBelow(one.unsoundBelow) : null;
}

/** The one word that matters: whether what was last made, or was to be made, is there and sound as far as anybody knows. */
export function standing(view: BackupsView): Standing {
  const ended = view.items.find((one) => one.status !== "running");
  if (ended === undefined) return view.destination ? "none" : "off";
  if (ended.status === "failed" || problemOf(ended)) return "bad";
  return view.lastGoodUnchecked ? "unchecked" : "good";
}

/** Whether one is being made. */
export function underWay(view: BackupsView): boolean {
  return view.items.some((one) => one.status === "running");
}
