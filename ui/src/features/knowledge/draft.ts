import { own } from "@/lib/persistent";
import type { Blueprint, Entry, Item, Kind, Learning, VersionDraft } from "./types";

/** Everything that the editor holds, whatever the kind; what a kind does not have is not sent. */
export interface Draft {
  title: string;
  description: string;
  content: string;
  tags: string[];
  related: string[];
  category: Blueprint["category"];
  status: Blueprint["status"];
  priority: number;
  entryType: Entry["type"];
  sourceUrl: string;
  keywords: string[];
  learningType: Learning["type"];
  confidence: Learning["confidence"];
  problem: string;
  solution: string;
  prevention: string;
  /** To which work it belongs: of blueprints and learnings. */
  filePatterns: string[];
  languages: string[];
  taskTypes: string[];
  frameworks: string[];
}

export const BLANK: Draft = {
  title: "",
  description: "",
  content: "",
  tags: [],
  related: [],
  category: "custom",
  status: "draft",
  priority: 5,
  entryType: "documentation",
  sourceUrl: "",
  keywords: [],
  learningType: "custom",
  confidence: "medium",
  problem: "",
  solution: "",
  prevention: "",
  filePatterns: [],
  languages: [],
  taskTypes: [],
  frameworks: [],
};

/** What an item is called, whatever its kind. */
export const titleOf = (item: Item): string => (item.kind === "blueprint" ? item.name : item.title);

/** An item as the editor holds it. */
export function draftOf(item: Item): Draft {
  const { description, content, tags, related } = item;
  const common = { ...BLANK, title: titleOf(item), description, content: content ?? "", tags, related };
  switch (item.kind) {
    case "blueprint": {
      const { category, status, priority, autoLoadConditions } = item;
      return { ...common, category, status, priority, ...autoLoadConditions };
    }
    case "entry":
      return { ...common, entryType: item.type, sourceUrl: item.sourceUrl ?? "", keywords: item.keywords };
    case "learning":
      return {
        ...common,
        learningType: item.type,
        confidence: item.confidence,
        problem: item.problem ?? "",
        solution: item.solution ?? "",
        prevention: item.prevention ?? "",
        ...item.context,
      };
  }
}

/** A former text as the editor holds it. */
export function draftOfVersion({ details, ...rest }: VersionDraft): Draft {
  const common = { ...BLANK, ...rest };
  switch (details.kind) {
    case "blueprint": {
      const { category, status, priority, autoLoadConditions } = details;
      return { ...common, category, status, priority, ...autoLoadConditions };
    }
    case "entry":
      return {
        ...common,
        entryType: details.type,
        sourceUrl: details.sourceUrl ?? "",
        keywords: details.keywords,
      };
    case "learning":
      return {
        ...common,
        learningType: details.type,
        confidence: details.confidence,
        problem: details.problem ?? "",
        solution: details.solution ?? "",
        prevention: details.prevention ?? "",
        ...details.context,
      };
  }
}

const orNull = (text: string) => (text.trim() === "" ? null : text.trim());

/**
 * What is sent of it. That a learning is verified is said by verifying it, and by whoever changes one that is: they `standFor` it from
 * then on, where nothing said would take it for less sure.
 */
export function bodyOf(kind: Kind, draft: Draft, standFor = false) {
  const { tags, related, content, filePatterns, languages, taskTypes, frameworks } = draft;
  const title = draft.title.trim();
  const common = { description: draft.description.trim(), content, tags, related };
  switch (kind) {
    case "blueprint":
      return {
        ...common,
        name: title,
        category: draft.category,
        status: draft.status,
        priority: draft.priority,
        autoLoadConditions: { filePatterns, languages, taskTypes },
      };
    case "entry":
      return {
        ...common,
        title,
        type: draft.entryType,
        sourceUrl: orNull(draft.sourceUrl),
        keywords: draft.keywords,
      };
    case "learning":
      return {
        ...common,
        title,
        type: draft.learningType,
        ...(draft.confidence === "verified" && !standFor ? {} : { confidence: draft.confidence }),
        problem: orNull(draft.problem),
        solution: orNull(draft.solution),
        prevention: orNull(draft.prevention),
        context: { languages, frameworks, filePatterns },
      };
  }
}

/** A draft as one text, so that two versions can be compared in all that they say. */
export function textOf(kind: Kind, draft: Draft, name: (field: keyof Draft) => string): string {
  const { title, content, ...rest } = draft;
  const lines = [`# ${title}`, ""];
  const has = fieldsOf(kind);
  for (const [field, value] of Object.entries(rest) as [keyof Draft, Draft[keyof Draft]][]) {
    if (!has.includes(field)) continue;
    if (Array.isArray(value)) {
      if (value.length > 0) lines.push(`${name(field)}: ${value.join(", ")}`);
    } else if (value !== "") lines.push(`${name(field)}: ${value}`);
  }
  return [...lines, "", content].join("\n");
}

const COMMON = ["title", "description", "content", "tags", "related"] as const;

/** The fields that a kind has. */
export function fieldsOf(kind: Kind): readonly (keyof Draft)[] {
  switch (kind) {
    case "blueprint":
      return [...COMMON, "category", "status", "priority", "filePatterns", "languages", "taskTypes"];
    case "entry":
      return [...COMMON, "entryType", "sourceUrl", "keywords"];
    case "learning":
      return [
        ...COMMON,
        "learningType",
        "confidence",
        "problem",
        "solution",
        "prevention",
        "languages",
        "frameworks",
        "filePatterns",
      ];
  }
}

export const sameDraft = (a: Draft, b: Draft): boolean => JSON.stringify(a) === JSON.stringify(b);

/** What was typed and not saved: the text, and the one that it was made of with its version. */
export interface Kept {
  draft: Draft;
  base: Draft;
  version: number;
}

const NOTHING: Kept | null = null;

/** The draft of an item, or of a new one of a kind, which survives a reload. */
export const keptDraft = (key: string) => own<Kept | null>(`knowledge.${key}`, NOTHING);

/** Reads what was kept; nothing when it is not of this form, such as after an update. */
export function readKept(kept: unknown): Kept | null {
  if (kept === null || typeof kept !== "object") return null;
  const { draft, base, version } = kept as Partial<Kept>;
  if (typeof draft !== "object" || typeof base !== "object" || typeof version !== "number") return null;
  return { draft: { ...BLANK, ...draft }, base: { ...BLANK, ...base }, version };
}
