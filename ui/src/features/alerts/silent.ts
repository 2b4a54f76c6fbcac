import type { Alert } from "@/api/types";

/** Whether nobody is told of it now: for a while, and while it is no worse than when that was wished. */
export function isSilent(alert: Alert, now: number): boolean {
  if (alert.silencedUntil === null || Date.parse(alert.silencedUntil) <= now) return false;
  return alert.silencedLevel !== "warning" || alert.level === "warning";
}
