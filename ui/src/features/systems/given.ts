import type { InputField, InputSchema } from "@/api/types";
import { holds } from "./fit";

/** Whether a field can hold a value. */
const takes = ({ type, enum: only }: InputField, value: unknown): boolean =>
  only == null ? holds(type, value) : only.includes(value);

/** What a form begins with: of what was given before that which it still asks for, and for the rest what it is without. */
export function beginning(schema: InputSchema, given: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
      const before = given[name];
      if (before !== undefined && takes(field, before)) return [[name, before]];
      return field.default == null ? [] : [[name, field.default]];
    }),
  );
}
