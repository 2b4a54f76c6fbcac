import type { InputField, InputSchema } from "@/api/types";

/** Whether a field can hold a value. */
function holds({ type, enum: only }: InputField, value: unknown): boolean {
  if (only != null) return only.includes(value);
  switch (type) {
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

/** What a form begins with: of what was given before that which it still asks for, and for the rest what it is without. */
export function beginning(schema: InputSchema, given: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
      const before = given[name];
      if (before !== undefined && holds(field, before)) return [[name, before]];
      return field.default == null ? [] : [[name, field.default]];
    }),
  );
}
