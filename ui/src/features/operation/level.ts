import type { AlertLevel, Thresholds } from "@/api/types";

export type Threshold = Thresholds[keyof Thresholds];

/** How bad a figure is, of which more is worse; nothing where it is well, or nobody knows from when on it is not. */
export function levelOf(value: number, threshold: Threshold | undefined): AlertLevel | undefined {
  if (threshold === undefined) return undefined;
  if (value >= threshold.critical) return "critical";
  return value >= threshold.warning ? "warning" : undefined;
}
