import type { InputField } from "@/api/types";

type Kind = InputField["type"];

const isNumber = (kind: Kind) => kind === "number" || kind === "integer";

/** Whether a field of this kind can hold a value. */
export function holds(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case "array":
      return Array.isArray(value) && value.every((one) => typeof one === "string");
    case "integer":
      return Number.isInteger(value);
    case "number":
      return Number.isFinite(value);
    default:
      return typeof value === kind;
  }
}

/** The field as one of another kind, with all of it that fits there. */
export function turn(field: InputField, type: Kind): InputField {
  const { title, description, default: usual, enum: only, minimum, maximum } = field;
  const next: InputField = { type };
  if (title != null) next.title = title;
  if (description != null) next.description = description;
  if (only?.every((value) => holds(type, value))) next.enum = only;
  if (usual != null && holds(type, usual)) next.default = usual;
  if (isNumber(type)) {
    if (minimum != null) next.minimum = minimum;
    if (maximum != null) next.maximum = maximum;
  }
  if (type === "string") {
    for (const name of ["minLength", "maxLength"] as const) if (field[name] != null) next[name] = field[name];
    if (field.format != null) next.format = field.format;
  }
  return next;
}

/** The choices that lines of text name, as values of a kind; a line that is none is left out. */
export function choicesOf(text: string, type: Kind): unknown[] | undefined {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const values = isNumber(type)
    ? lines.map((line) => Number(line.replace(",", "."))).filter((value) => holds(type, value))
    : lines;
  return values.length === 0 ? undefined : [...new Set<unknown>(values)];
}

/** A value as it is typed: words as they are, anything else, and words that look like it, as JSON. */
export function writeValue(value: unknown): string {
  return typeof value === "string" && typeof readValue(value) === "string" && readValue(value) === value
    ? value
    : JSON.stringify(value);
}

export function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
