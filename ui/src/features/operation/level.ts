import type { AlertLevel, Thresholds } from "@/api/types";

export type Threshold = Thresholds["memory"];

/** How bad a figure is, of which more is worse; nothing where it is well, or nobody knows from when on it is not. */
export function levelOf(value: number, threshold: Threshold | undefined): AlertLevel | undefined {
  if (threshold === undefined) return undefined;
  if (value >= threshold.critical) return "critical";
  return value >= threshold.warning ? "warning" : undefined;
}

/** The worst of several. */
export function worst(levels: readonly (AlertLevel | undefined)[]): AlertLevel | undefined {
  return levels.includes("critical") ? "critical" : levels.find((level) => level !== undefined);
}

/** Processors have no threshold of their own: busy is what they are for, and more work than there are of them makes all of it wait. */
export const OF_LOAD: Threshold = { warning: 150, critical: 300 };
