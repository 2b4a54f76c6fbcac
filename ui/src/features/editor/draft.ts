import type { Feature, FeatureDraft, PlanningMode, ThinkingLevel } from "@/api/types";
import { own } from "@/lib/persistent";

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
  /** The branch to work on; one of its own when it is empty. */
  branch: string;
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
  branch: "",
};

export function draftOf(feature: Feature): Draft {
  const { title, description, category, priority, dependencies } = feature;
  const { planningMode, requirePlanApproval, thinkingLevel, agentId, model } = feature;
  const { skipVerification, needsApproval, budgetMicros, branch } = feature;
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
    branch: branch ?? "",
  };
}

/** What is sent to write a new card: what was left empty is left out. */
export function toCreate(draft: Draft): FeatureDraft {
  const { title, category, agentId, model, branch, description, ...rest } = draft;
  return {
    ...rest,
    description: description.trim() === "" ? title.trim() : description,
    ...(title.trim() === "" ? {} : { title: title.trim() }),
    ...(category.trim() === "" ? {} : { category: category.trim() }),
    ...(agentId === null ? {} : { agentId }),
    ...(model === null ? {} : { model }),
    ...(branch.trim() === "" ? {} : { branch: branch.trim() }),
  };
}

const FIELDS = Object.keys(BLANK) as (keyof Draft)[];
const same = (a: Draft[keyof Draft], b: Draft[keyof Draft]) =>
  Array.isArray(a) && Array.isArray(b) ? a.join() === b.join() : a === b;

const sent = (draft: Draft, key: keyof Draft) => {
  const value = draft[key];
  return typeof value === "string" && key !== "description" ? value.trim() : value;
};

/** What is sent to change a card: only what is another now. */
export function toPatch(draft: Draft, before: Draft): Partial<Draft> {
  const changed = FIELDS.filter((key) => !same(draft[key], before[key]));
  return Object.fromEntries(changed.map((key) => [key, sent(draft, key)]));
}

/** What was typed and not saved: the card as it is to be, and as it was with its version. */
export interface Kept {
  draft: Draft;
  base: Draft;
  version: number;
}

const NOTHING: Kept | null = null;

/** The draft of a card, or of a new one of a project, which survives a reload. */
export const keptDraft = (key: string) => own<Kept | null>(`card.${key}`, NOTHING);

/** Reads what was kept; nothing when it is not of this form, such as after an update. */
export function readKept(kept: unknown): Kept | null {
  if (kept === null || typeof kept !== "object") return null;
  const { draft, base, version } = kept as Partial<Kept>;
  if (typeof draft !== "object" || typeof base !== "object" || typeof version !== "number") return null;
  return { draft: { ...BLANK, ...draft }, base: { ...BLANK, ...base }, version };
}

/**
 * The same changes to the card as it is now: what only others changed since is theirs. Where both changed the same it stays on what it was
 * made of, so that the server asks before one of them is undone.
 */
export function rebase(kept: Kept, now: Draft, version: number): Kept {
  const mine = FIELDS.filter((key) => !same(kept.draft[key], kept.base[key]));
  const clash = mine.some((key) => !same(now[key], kept.base[key]) && !same(now[key], sent(kept.draft, key)));
  if (clash || version <= kept.version) return kept;
  return {
    draft: { ...now, ...Object.fromEntries(mine.map((key) => [key, kept.draft[key]])) },
    base: now,
    version,
  };
}

/** Files that a card may have, bytes of each, and of an image. */
export const MOST_FILES = 20;
const MOST_BYTES = 5 * 1024 * 1024;
export const IMAGE_BYTES = 3_932_160;
const IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/** Why a file cannot be put on a card; nothing when it can. Whether a text is UTF-8 the server finds out. */
export function refuseFile(file: File): string | null {
  if (file.size > MOST_BYTES) return `${file.name} is larger than 5 MiB.`;
  if (file.type.startsWith("image/") && !IMAGES.includes(file.type))
    return `${file.name}: only PNG, JPEG, GIF and WebP images can be attached.`;
  if (file.type.startsWith("image/") && file.size > IMAGE_BYTES)
    return `${file.name} is larger than 3.75 MiB, which an image may have.`;
  if (/^(video|audio|font)\//.test(file.type) || /zip|pdf|octet-stream/.test(file.type))
    return `${file.name}: only images and text files can be attached.`;
  return null;
}
