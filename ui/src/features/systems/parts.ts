/** A part of what a step shows: words, or data that was put into them. */
export type Part = { words: string } | { data: unknown };

/** A card that a plan proposes. */
export interface Planned {
  title: string;
  description: string;
  priority: number | undefined;
  category: string;
  /** The places in the list, from 1, of the cards that must be done first. */
  after: number[];
}

/** A card that was made. */
export interface Made {
  id: string;
  number: number;
  title: string;
}

/** The words and the data of a text. What a template puts in as data has its outermost brackets on lines of their own. */
export function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  const say = (words: string) => words.trim() !== "" && parts.push({ words: words.trim() });
  let at = 0;
  for (const { 0: block, index } of text.matchAll(/^[{[]\n[\s\S]*?\n[}\]]$/gm)) {
    const data = parsed(block);
    if (data === undefined) continue;
    say(text.slice(at, index));
    parts.push({ data });
    at = index + block.length;
  }
  say(text.slice(at));
  return parts;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Fields = Record<string, unknown>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown) => (typeof value === "string" ? value : "");

/** The list that is meant, whether it stands alone or under `cards`. */
function listOf(value: unknown): Fields[] | null {
  const list = isFields(value) && Object.keys(value).length === 1 ? value.cards : value;
  return Array.isArray(list) && list.length > 0 && list.every(isFields) ? list : null;
}

/** The cards that data proposes, if it does nothing else. */
export function plannedCards(value: unknown): Planned[] | null {
  const list = listOf(value);
  if (list?.every((card) => typeof card.title === "string" && typeof card.description === "string") !== true)
    return null;
  return list.map((card) => ({
    title: text(card.title),
    description: text(card.description),
    priority: typeof card.priority === "number" ? card.priority : undefined,
    category: text(card.category),
    after: Array.isArray(card.after) ? card.after.filter((place) => typeof place === "number") : [],
  }));
}

/** The cards that were made, if data tells of nothing else. */
export function madeCards(value: unknown): Made[] | null {
  const list = listOf(value);
  if (list?.every((card) => typeof card.id === "string" && typeof card.number === "number") !== true)
    return null;
  return list.map((card) => ({ id: text(card.id), number: Number(card.number), title: text(card.title) }));
}
