import type { BackupsView } from "@/api/types";

/** How backups stand, in a word. */
export type Standing = "off" | "none" | "good" | "bad";

/** The one word that matters: whether what was last made, or was to be made, is there and sound. */
export function standing(view: BackupsView): Standing {
  const ended = view.items.find((one) => one.status !== "running");
  if (ended === undefined) return view.destination ? "none" : "off";
  if (ended.status === "failed" || ended.verifyProblem) return "bad";
  return "good";
}

/** Whether one is being made. */
export function underWay(view: BackupsView): boolean {
  return view.items.some((one) => one.status === "running");
}
