import type { Feature, FeatureDraft, PlanningMode, ThinkingLevel } from "@/api/types";

/** Everything that the card editor holds. */
export interface Draft {
  title: string;
  description: string;
  category: string;
  priority: number;
  dependencies: string[];
  planningMode: PlanningMode;
  requirePlanApproval: boolean;
  thinkingLevel: ThinkingLevel;
  /** Who works on it; the usual agent when there is none. */
  agentId: string | null;
  model: string | null;
  skipVerification: boolean;
  needsApproval: boolean;
  /** What a run of it may cost, in micro-dollars; the team's limit when there is none. */
  budgetMicros: number | null;
}

export const BLANK: Draft = {
  title: "",
  description: "",
  category: "",
  priority: 2,
  dependencies: [],
  planningMode: "skip",
  requirePlanApproval: false,
  thinkingLevel: "medium",
  agentId: null,
  model: null,
  skipVerification: false,
  needsApproval: false,
  budgetMicros: null,
};

export function draftOf(feature: Feature): Draft {
  const { title, description, category, priority, dependencies } = feature;
  const { planningMode, requirePlanApproval, thinkingLevel, agentId, model } = feature;
  const { skipVerification, needsApproval, budgetMicros } = feature;
  return {
    title,
    description,
    category,
    priority,
    dependencies,
    planningMode,
    requirePlanApproval,
    thinkingLevel,
    agentId,
    model,
    skipVerification,
    needsApproval,
    budgetMicros: budgetMicros ?? null,
  };
}

/** What is sent to write a new card: what was left empty is left out. */
export function toCreate(draft: Draft): FeatureDraft {
  const { title, category, agentId, model, description, ...rest } = draft;
  return {
    ...rest,
    description: description.trim() === "" ? title.trim() : description,
    ...(title.trim() === "" ? {} : { title: title.trim() }),
    ...(category.trim() === "" ? {} : { category: category.trim() }),
    ...(agentId === null ? {} : { agentId }),
    ...(model === null ? {} : { model }),
  };
}

/** What is sent to change a card: only what is another now. */
export function toPatch(draft: Draft, before: Draft): Partial<Draft> {
  const patch: Partial<Draft> = {};
  for (const key of Object.keys(before) as (keyof Draft)[]) {
    const [now, was] = [draft[key], before[key]];
    const same = Array.isArray(now) && Array.isArray(was) ? now.join() === was.join() : now === was;
    if (!same)
      Object.assign(patch, { [key]: typeof now === "string" && key !== "description" ? now.trim() : now });
  }
  return patch;
}

const PREFIX = "guildhall.draft.";

/** A draft that was left behind; nothing when there is none or it cannot be read. */
export function loadDraft(key: string): Draft | null {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(PREFIX + key) ?? "null");
    if (stored === null || typeof stored !== "object") return null;
    return { ...BLANK, ...(stored as Partial<Draft>) };
  } catch {
    return null;
  }
}

export function saveDraft(key: string, draft: Draft | null) {
  try {
    if (draft === null) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(draft));
  } catch {
    // A full or forbidden store costs the draft, not the work.
  }
}

const MOST_BYTES = 5 * 1024 * 1024;
const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/** Why a file cannot be put on a card; nothing when it can. Whether a text is UTF-8 the server finds out. */
export function refuseFile(file: File): string | null {
  if (file.size > MOST_BYTES) return `${file.name} is larger than 5 MiB.`;
  if (file.type.startsWith("image/") && !IMAGES.includes(file.type))
    return `${file.name}: only PNG, JPEG, GIF and WebP images can be attached.`;
  if (/^(video|audio|font)\//.test(file.type) || /zip|pdf|octet-stream/.test(file.type))
    return `${file.name}: only images and text files can be attached.`;
  return null;
}
