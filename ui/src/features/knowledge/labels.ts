import type {
  BlueprintStatus,
  Category,
  Confidence,
  EntryType,
  Kind,
  LearningType,
  Origin,
  Review,
} from "./types";

/** The kinds of knowledge in words, for one and for many. */
export const kindName: Record<Kind, { one: string; many: string; what: string }> = {
  blueprint: {
    one: "Blueprint",
    many: "Blueprints",
    what: "How the team builds: what agents are told when their work matches.",
  },
  entry: {
    one: "Entry",
    many: "Entries",
    what: "What is known: documentation, decisions, how to run things.",
  },
  learning: {
    one: "Learning",
    many: "Learnings",
    what: "What a piece of work taught, by an agent or a member.",
  },
};

export const category: Record<Category, string> = {
  "coding-standards": "Coding standards",
  architecture: "Architecture",
  testing: "Testing",
  security: "Security",
  documentation: "Documentation",
  workflow: "Workflow",
  review: "Review",
  deployment: "Deployment",
  custom: "Other",
};

export const status: Record<BlueprintStatus, string> = {
  draft: "Draft",
  active: "Active",
  deprecated: "Deprecated",
};

export const entryType: Record<EntryType, string> = {
  documentation: "Documentation",
  "api-reference": "API reference",
  tutorial: "Tutorial",
  faq: "FAQ",
  decision: "Decision",
  runbook: "Runbook",
  glossary: "Glossary",
  custom: "Other",
};

export const learningType: Record<LearningType, string> = {
  "bug-fix": "Bug fix",
  pattern: "Pattern",
  optimization: "Optimization",
  "best-practice": "Best practice",
  "anti-pattern": "Anti-pattern",
  "tool-usage": "Tool usage",
  "context-specific": "Context-specific",
  custom: "Other",
};

export const confidence: Record<Confidence, string> = {
  low: "Low",
  medium: "Medium",
  high: "High",
  verified: "Verified",
};

export const review: Record<Review, string> = {
  proposed: "To review",
  accepted: "Accepted",
  rejected: "Rejected",
};

export const statusHelp: Record<BlueprintStatus, string> = {
  draft: "No agent reads it yet.",
  active: "Agents whose work it matches read it.",
  deprecated: "No agent reads it any more.",
};

export const origin: Record<Origin, string> = {
  member: "By members",
  agent: "By agents",
  token: "By programs",
};
