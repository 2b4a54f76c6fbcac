import type { AuditAction, AuditFilter, AuditOutcome } from "@/api/types";

/** What the audit's address holds. Days are written as 2026-03-10, in the time zone of the device. */
export interface AuditSearch {
  actor?: string;
  action?: AuditAction;
  outcome?: AuditOutcome;
  from?: string;
  to?: string;
}

const WORD = /^[\w.-]{1,64}$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Reads the address. An action that does not exist is refused by the server, which says so. */
export function auditSearch(search: Record<string, unknown>): AuditSearch {
  const word = (value: unknown, pattern: RegExp) =>
    typeof value === "string" && pattern.test(value) ? value : undefined;
  const found = {
    actor: word(search.actor, WORD),
    action: word(search.action, WORD),
    outcome: word(search.outcome, WORD),
    from: word(search.from, DAY),
    to: word(search.to, DAY),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

/** What to ask the server for. `to` is the last day, the whole of it. */
export function filterOf({ from, to, ...rest }: AuditSearch): AuditFilter {
  const start = moment(from, 0);
  const end = moment(to, 1);
  return { ...rest, ...(start ? { from: start } : {}), ...(end ? { to: end } : {}) };
}

function moment(day: string | undefined, plusDays: number): string | undefined {
  if (day === undefined) return undefined;
  const at = new Date(`${day}T00:00:00`);
  if (Number.isNaN(at.getTime())) return undefined;
  at.setDate(at.getDate() + plusDays);
  return at.toISOString();
}
