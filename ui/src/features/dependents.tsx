import { useQueries } from "@tanstack/react-query";
import { queries, useRun } from "@/api/queries";
import type { FeatureCard, HeldCard } from "@/api/types";

type Named = Pick<FeatureCard, "number" | "title">;

const MOST = 5;

/** Cards by number and title, as a part of a sentence. */
export function listed(cards: readonly Named[]): string {
  const names = cards.slice(0, MOST).map((card) => `#${card.number} “${card.title}”`);
  if (cards.length > MOST) names.push(`${cards.length - MOST} more`);
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** The cards that would wait for one of these if it was deleted: what is merged is there for good. */
export function dependents(
  gone: readonly Pick<FeatureCard, "id" | "status">[],
  all: Iterable<FeatureCard>,
): FeatureCard[] {
  const leaving = new Set(gone.map((card) => card.id));
  const missed = new Set(gone.filter((card) => card.status !== "completed").map((card) => card.id));
  return [...all].filter(
    (card) =>
      card.status !== "completed" && !leaving.has(card.id) && card.dependencies.some((id) => missed.has(id)),
  );
}

/** Says before a deletion who depends on it. */
export function LeftWaiting({ cards, one }: { cards: readonly FeatureCard[]; one: boolean }) {
  if (cards.length === 0) return null;
  const it = one ? "it" : "them";
  return (
    <p>
      {listed(cards)} {cards.length === 1 ? "depends" : "depend"} on {it}, and{" "}
      {cards.length === 1 ? "waits" : "wait"} until somebody takes that dependency off.
    </p>
  );
}

/** The cards that a run is built on and that are not merged yet. */
export function useUnmerged(holds: readonly HeldCard[]): HeldCard[] {
  const found = useQueries({ queries: holds.map((held) => queries.feature(held.featureId)) });
  return holds.filter((_, at) => {
    const { data, isError } = found[at] ?? {};
    return isError || (data !== undefined && data.status !== "completed");
  });
}

/** Says before a merge what is merged with it. */
export function MergedFirst({ runId }: { runId: string | null | undefined }) {
  const unmerged = useUnmerged(useRun(runId).data?.holds ?? []);
  if (unmerged.length === 0) return null;
  return (
    <p>
      It is built on {listed(unmerged)}, which {unmerged.length === 1 ? "is" : "are"} merged first,{" "}
      {unmerged.length === 1 ? "as a commit of its own" : "each as a commit of its own"}.
    </p>
  );
}

/** Says above a diff what it does not show. */
export function BuiltOn({ holds }: { holds: readonly HeldCard[] }) {
  const unmerged = useUnmerged(holds);
  if (unmerged.length === 0) return null;
  return (
    <p className="rounded-lg bg-grey-soft px-3 py-2 text-muted text-sm">
      On top of {listed(unmerged)}, which {unmerged.length === 1 ? "is" : "are"} not merged yet. What that
      changed is not shown here.
    </p>
  );
}
