import type { Check } from "@/api/types";

/** Checks that ran one after another on the same state of the work. */
export interface Round {
  key: string;
  commit: string | null;
  at: string;
  /** In the order in which they ran. */
  checks: Check[];
}

/** Sorts checks (the latest first) into rounds, the latest first. A command that runs again begins a new round. */
export function roundsOf(checks: readonly Check[]): Round[] {
  const rounds: Round[] = [];
  for (const check of [...checks].reverse()) {
    const last = rounds.at(-1);
    const fits =
      last !== undefined &&
      last.commit === check.commitId &&
      last.checks.every((entry) => entry.command !== check.command && entry.status !== "failed");
    if (fits) last.checks.push(check);
    else rounds.push({ key: check.id, commit: check.commitId, at: check.startedAt, checks: [check] });
  }
  return rounds.reverse();
}
