import type { Draft } from "./draft";
import { words } from "./strings";

const w = words.form;
const NAMES: Record<keyof Draft, string> = {
  title: w.title,
  description: w.description,
  content: w.content,
  tags: w.tags,
  related: w.related,
  category: w.category,
  status: w.status,
  priority: w.priority,
  entryType: w.type,
  sourceUrl: w.sourceUrl,
  keywords: w.keywords,
  learningType: w.type,
  confidence: w.confidence,
  problem: w.problem,
  solution: w.solution,
  prevention: w.prevention,
  filePatterns: w.filePatterns,
  languages: w.languages,
  taskTypes: w.taskTypes,
  frameworks: w.frameworks,
};

/** What a field is called on the page. */
export const fieldName = (field: keyof Draft): string => NAMES[field];

/** What is in a field, as a text. */
export const fieldText = (value: Draft[keyof Draft]): string =>
  Array.isArray(value) ? value.join(", ") : String(value);
