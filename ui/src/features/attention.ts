import { useQueries, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { queries, useMay, useMe, useProjects } from "@/api/queries";
import type { FeatureCard, LiveRun, ProjectListItem } from "@/api/types";
import { planWaits } from "@/features/actions";

export interface ActiveWork {
  /** Cards that need somebody: the most urgent kind first. */
  attention: FeatureCard[];
  /** Cards that an agent works on or will, the longest at work first. */
  working: FeatureCard[];
  projects: ProjectListItem[];
  pending: boolean;
  error: unknown;
  refetch: () => void;
}

/** What a card needs somebody for. */
export type Need = "waiting_approval" | "plan_approval" | "failed" | "verified" | "paused";

const URGENCY: Record<Need, number> = {
  waiting_approval: 0,
  plan_approval: 1,
  failed: 2,
  verified: 3,
  paused: 4,
};

export function needOf(card: FeatureCard): Need | null {
  if (planWaits(card)) return "plan_approval";
  return card.status in URGENCY ? (card.status as Need) : null;
}

/** Whether a card is a member's: they wrote it, or let the agent work on it. Its news go to the same. */
export const isOf = (card: FeatureCard, memberId: string | undefined) =>
  memberId !== undefined && (card.createdBy === memberId || card.startedBy === memberId);

/** Those of some cards that are the member's own. */
export function useMine(cards: readonly FeatureCard[]): FeatureCard[] {
  const me = useMe().data?.id;
  return useMemo(() => cards.filter((card) => isOf(card, me)), [cards, me]);
}

/** How many cards wait for this member, and for nobody else; what somebody paused waits for no one. */
export function useWaiting(): number {
  return useMine(useActiveWork().attention).filter((card) => card.status !== "paused").length;
}

function byUrgency(a: FeatureCard, b: FeatureCard) {
  const rank = (card: FeatureCard) => URGENCY[needOf(card) ?? "paused"];
  return rank(a) - rank(b) || b.updatedAt.localeCompare(a.updatedAt);
}

function byStart(a: FeatureCard, b: FeatureCard) {
  const rank = (card: FeatureCard) => (card.status === "in_progress" ? 0 : 1);
  return rank(a) - rank(b) || (a.startedAt ?? a.updatedAt).localeCompare(b.startedAt ?? b.updatedAt);
}

/** What is at work and what needs a member, in all projects. */
export function useActiveWork(): ActiveWork {
  const projects = useProjects();
  const list = projects.data ?? [];
  return useQueries({
    queries: list.map((project) => queries.active(project.id)),
    combine: (results): ActiveWork => {
      const cards = results.flatMap((result) => result.data ?? []);
      return {
        attention: cards.filter((card) => needOf(card) !== null).sort(byUrgency),
        working: cards
          .filter((card) => (card.status === "in_progress" && !planWaits(card)) || card.status === "queued")
          .sort(byStart),
        projects: list,
        pending: projects.isPending || results.some((result) => result.isPending),
        error: projects.error ?? results.find((result) => result.error !== null)?.error ?? null,
        refetch: () => {
          void projects.refetch();
          for (const result of results) void result.refetch();
        },
      };
    },
  });
}

const NONE: LiveRun[] = [];
const isAside = (run: LiveRun) => run.kind !== "card";

/** Chats and tasks of everybody that an agent works on or will: they are on no board, but take places like cards. */
export function useAsides(): LiveRun[] {
  const mayLook = useMay("read");
  const asides = useQuery({
    ...queries.atWork(),
    enabled: mayLook,
    select: (items) => items.filter(isAside),
  });
  return asides.data ?? NONE;
}
