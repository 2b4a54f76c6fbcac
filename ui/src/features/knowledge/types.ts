// What the hub's routes speak of, under the names by which its pages call them. The lists are in the order of the page.
import type * as Schema from "@/api/schema";

export const KINDS = ["blueprint", "entry", "learning"] as const satisfies readonly Schema.KnowledgeKind[];
/** A kind of knowledge. */
export type Kind = Schema.KnowledgeKind;

export const CATEGORIES = [
  "coding-standards",
  "architecture",
  "testing",
  "security",
  "documentation",
  "workflow",
  "review",
  "deployment",
  "custom",
] as const satisfies readonly Schema.BlueprintCategory[];
export type Category = Schema.BlueprintCategory;

export const STATUSES = [
  "draft",
  "active",
  "deprecated",
] as const satisfies readonly Schema.BlueprintStatus[];
export type BlueprintStatus = Schema.BlueprintStatus;

export const ENTRY_TYPES = [
  "documentation",
  "api-reference",
  "tutorial",
  "faq",
  "decision",
  "runbook",
  "glossary",
  "custom",
] as const satisfies readonly Schema.EntryType[];
export type EntryType = Schema.EntryType;

export const LEARNING_TYPES = [
  "bug-fix",
  "pattern",
  "optimization",
  "best-practice",
  "anti-pattern",
  "tool-usage",
  "context-specific",
  "custom",
] as const satisfies readonly Schema.LearningType[];
export type LearningType = Schema.LearningType;

export const CONFIDENCES = [
  "low",
  "medium",
  "high",
  "verified",
] as const satisfies readonly Schema.LearningConfidence[];
export type Confidence = Schema.LearningConfidence;

export const REVIEWS = [
  "proposed",
  "accepted",
  "rejected",
] as const satisfies readonly Schema.KnowledgeReview[];
export type Review = Schema.KnowledgeReview;

export const ORIGINS = ["member", "agent", "token"] as const satisfies readonly Schema.KnowledgeOrigin[];
export type Origin = Schema.KnowledgeOrigin;

type As<K extends Kind, T> = Omit<T, "kind"> & { kind: K };

export type Blueprint = As<"blueprint", Schema.Blueprint>;
export type Entry = As<"entry", Schema.Entry>;
export type Learning = As<"learning", Schema.Learning>;
/** An item of any kind. */
export type Item = Blueprint | Entry | Learning;

export type Hit = Schema.KnowledgeHit;
export type Snippet = Schema.KnowledgeSnippet;
export type Similar = Schema.SimilarItem;
export type Version = Schema.KnowledgeVersion;
export type Deed = Schema.KnowledgeDeed;
/** The whole of what somebody says of an item. */
export type VersionDraft = Schema.KnowledgeDraft;
export type Outcome = Schema.LearningOutcome;
export type Application = Schema.KnowledgeApplication;
/** What a run brought into the hub and used of it. */
export type RunKnowledge = Omit<Schema.RunKnowledge, "items"> & { items: Item[] };
/** When a proposed learning is accepted without a member's look. */
export type Rule = Schema.KnowledgeRule;
/** An item with what it is related to. */
export type Known = Omit<Schema.RelatedItem, "item"> & { item: Item };

/** What came of an import. */
export type ImportReport = Schema.ImportReport;
