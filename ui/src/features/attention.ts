import { useQueries } from "@tanstack/react-query";
import { queries, useProjects } from "@/api/queries";
import type { FeatureCard, ProjectListItem } from "@/api/types";

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

const URGENCY: Partial<Record<FeatureCard["status"], number>> = {
  waiting_approval: 0,
  failed: 1,
  verified: 2,
  paused: 3,
};

function byUrgency(a: FeatureCard, b: FeatureCard) {
  return (URGENCY[a.status] ?? 9) - (URGENCY[b.status] ?? 9) || b.updatedAt.localeCompare(a.updatedAt);
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
        attention: cards.filter((card) => card.status in URGENCY).sort(byUrgency),
        working: cards
          .filter((card) => card.status === "in_progress" || card.status === "queued")
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
