import type { MonthStanding } from "@/api/types";

/** Whether the budget that holds is the one that the member set: then nobody else can raise it. */
export function isOwn(row: MonthStanding, team: number | null): boolean {
  const own = row.ownMicros ?? null;
  const given = row.givenMicros ?? team;
  return own !== null && (given === null || own < given);
}
