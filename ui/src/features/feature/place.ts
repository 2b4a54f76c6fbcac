import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import type { FeatureCard } from "@/api/types";
import { planWaits } from "@/features/actions";

export const TABS = ["live", "plan", "changes", "checks", "services", "terminal", "overview"] as const;
export type TabName = (typeof TABS)[number];

/** What the address says of the view: the tab, an older run, a turn of it. */
export interface Place {
  tab?: TabName | undefined;
  run?: string | undefined;
  turn?: number | undefined;
}

export function usePlace(): [place: Place, go: (place: Place, options?: { push?: boolean }) => void] {
  const search = useSearch({ strict: false }) as Record<string, unknown>;
  const navigate = useNavigate();
  const go = useCallback(
    (next: Place, { push = false }: { push?: boolean } = {}) => {
      void navigate({
        to: ".",
        replace: !push,
        resetScroll: false,
        search: ((before: Record<string, unknown>) => ({ ...before, ...next })) as never,
      });
    },
    [navigate],
  );
  const tab = TABS.find((name) => name === search.tab);
  return [
    {
      tab,
      run: typeof search.run === "string" ? search.run : undefined,
      turn: typeof search.turn === "number" ? search.turn : undefined,
    },
    go,
  ];
}

/** The tab that matters for a feature as it stands. */
export function firstTab(feature: Pick<FeatureCard, "status" | "stage">): TabName {
  if (planWaits(feature)) return "plan";
  switch (feature.status) {
    case "backlog":
      return "overview";
    case "waiting_approval":
    case "verified":
    case "completed":
      return "changes";
    default:
      return "live";
  }
}

/** The address of a feature's own page, for sharing. */
export function linkOf(featureId: string, place: Place = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(place)) if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return `${location.origin}/f/${featureId}${text === "" ? "" : `?${text}`}`;
}
