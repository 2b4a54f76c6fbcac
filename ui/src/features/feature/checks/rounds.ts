import type { Check } from "@/api/types";

/** Checks that ran one after another on the same state of the work. */
export interface Round {
  key: string;
  commit: string | null;
  at: string;
  /** In the order in which they ran. */
  checks: Check[];
}

/** The commands that set the worktree up the last time, in the order in which they ran; `checks` has the latest first. */
export function setUpOf(checks: readonly Check[]): Check[] {
  return roundsOf(checks, "set-up")[0]?.checks ?? [];
}

/** Sorts commands of a kind (the latest first) into rounds, the latest first. A command that runs again begins a new round. */
export function roundsOf(checks: readonly Check[], kind: Check["kind"] = "check"): Round[] {
  const rounds: Round[] = [];
  for (const check of checks.filter((entry) => entry.kind === kind).reverse()) {
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
