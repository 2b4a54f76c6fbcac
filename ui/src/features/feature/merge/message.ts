import type { Feature } from "@/api/types";

/** What the commit says, unless the member writes otherwise: the title, and what the agent says it did. */
export function commitMessage(feature: Pick<Feature, "title" | "number" | "summary">): string {
  const summary = feature.summary?.trim() ?? "";
  const title = `${feature.title} (#${feature.number})`;
  return summary === "" ? title : `${title}\n\n${summary}`;
}
