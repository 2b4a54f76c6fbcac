import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import type { Feature, FeatureText, Run } from "@/api/types";

/** What a card said, the latest first, without the descriptions. One that never changed said nothing else. */
export function useTexts(feature: Pick<Feature, "id" | "version">) {
  return useQuery({
    queryKey: keys.featureTexts(feature.id),
    queryFn: async () => (await api.featureTexts(feature.id)).items,
    enabled: feature.version > 1,
    // A card that says something else makes it stale.
    staleTime: Number.POSITIVE_INFINITY,
  });
}

type At = Pick<FeatureText, "number" | "at">;

/** Which of the texts (the latest first) a run was given; nothing where that cannot be told. */
export function givenTo(
  run: Pick<Run, "startedAt" | "createdAt" | "attempt">,
  texts: readonly At[],
): number | undefined {
  const began = saidAt(run.startedAt ?? run.createdAt, texts);
  // Of several attempts it is known when the latest began, and not when the first was given the text.
  if (run.attempt > 1 && began !== saidAt(run.createdAt, texts)) return undefined;
  return began;
}

function saidAt(time: string, texts: readonly At[]): number | undefined {
  const began = Date.parse(time);
  const at = texts.findIndex((text) => Date.parse(text.at) <= began);
  const [given, next] = [texts[at], texts[at - 1]];
  // Those between the first and the latest hundred are not kept, and some are erased.
  if (given === undefined || (next !== undefined && next.number !== given.number + 1)) return undefined;
  return given.number;
}
