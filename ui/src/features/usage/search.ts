import type { UsageBy } from "@/api/types";

export const BYS = [
  "model",
  "member",
  "project",
  "feature",
  "key",
  "day",
] as const satisfies readonly UsageBy[];
export const PERIODS = ["7", "30", "90", "month", "last-month"] as const;
export type Period = (typeof PERIODS)[number];

/** What the usage page's address holds. */
export interface UsageSearch {
  period?: Period;
  from?: string;
  to?: string;
  by?: UsageBy;
  project?: string;
  member?: string;
}

const DAY = /^\d{4}-\d\d-\d\d$/;
const day = (value: unknown): value is string =>
  typeof value === "string" && DAY.test(value) && !Number.isNaN(Date.parse(value));
const one = <T extends string>(list: readonly T[], value: unknown): value is T =>
  list.includes(String(value) as T);

/** Reads the address; what cannot be is left out. */
export function usageSearch(search: Record<string, unknown>): UsageSearch {
  const { period, from, to, by, project, member } = search;
  return {
    ...(one(PERIODS, period) ? { period: String(period) as Period } : {}),
    ...(day(from) && day(to) && from <= to ? { from, to } : {}),
    ...(one(BYS, by) ? { by } : {}),
    ...(typeof project === "string" ? { project } : {}),
    ...(typeof member === "string" ? { member } : {}),
  };
}

const iso = (date: Date) => date.toISOString().slice(0, 10);

/** The first and the last day that a period means, where today is `today`. */
export function daysOf(period: Period, today: string): { from: string; to: string } {
  const at = new Date(`${today}T00:00:00Z`);
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  if (period === "month") return { from: iso(new Date(Date.UTC(year, month, 1))), to: today };
  if (period === "last-month") {
    return { from: iso(new Date(Date.UTC(year, month - 1, 1))), to: iso(new Date(Date.UTC(year, month, 0))) };
  }
  at.setUTCDate(at.getUTCDate() - (Number(period) - 1));
  return { from: iso(at), to: today };
}

/** Today as a clock in this zone shows it; without one in UTC, as the server counts. */
export function todayIn(zone: string | null | undefined, now = new Date()): string {
  const format = (timeZone?: string) => new Intl.DateTimeFormat("en-CA", timeZone ? { timeZone } : {});
  try {
    return format(zone ?? "UTC").format(now);
  } catch {
    return format("UTC").format(now);
  }
}
