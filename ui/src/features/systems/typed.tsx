import { createContext, useContext, useState } from "react";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { schemaOf } from "./model";
import { w } from "./strings";

/** What is typed in fields and is nothing yet that can be taken over, by the field's place. */
export type Unfinished = Readonly<Record<string, { text: string }>>;

interface Desk {
  unfinished: Unfinished;
  tell: (place: string, text: string | null) => void;
}

/** Holds what is unfinished, so that it is still there when its step is looked at again. */
export const Desk = createContext<Desk>({ unfinished: {}, tell: () => {} });

/**
 * A text that a value is made of. It stays as it is typed, until the value becomes another from elsewhere: by taking something back,
 * or because somebody else saved theirs.
 */
export function useTyped<T>(value: T, write: (value: T) => string) {
  const now = JSON.stringify(value);
  const [typed, setTyped] = useState({ of: now, text: write(value) });
  const shown = typed.of === now ? typed : { of: now, text: write(value) };
  if (shown !== typed) setTyped(shown);
  return {
    text: shown.text,
    /** `next` is the value that the text makes; the one that there is while it makes none. */
    type: (text: string, next: T = value) => setTyped({ of: JSON.stringify(next), text }),
    /** Shows the value again. */
    reset: () => setTyped({ of: now, text: write(value) }),
  };
}

/** A number, as it is typed; what is none changes nothing, and goes when the field is left. */
export function NumberField({
  value,
  onChange,
  label,
  error,
  whole = false,
  optional = false,
  placeholder,
}: {
  value: number | undefined;
  onChange: (value: number | undefined) => void;
  label: string;
  error?: string | undefined;
  whole?: boolean;
  /** Whether there may be none. */
  optional?: boolean;
  placeholder?: string;
}) {
  const typed = useTyped(value, (value) => (value === undefined ? "" : String(value)));
  const change = (text: string) => {
    const next = numberOf(text, whole);
    if (text.trim() === "" ? !optional : next === undefined) return typed.type(text);
    typed.type(text, next);
    if (next !== value) onChange(next);
  };
  return (
    <Field label={label} error={error} optional={optional}>
      <Input
        inputMode={whole ? "numeric" : "decimal"}
        value={typed.text}
        {...(placeholder === undefined ? {} : { placeholder })}
        onChange={(event) => change(event.target.value)}
        onBlur={typed.reset}
      />
    </Field>
  );
}

/** The number that is meant; a comma is a point to many. */
export function numberOf(text: string, whole = false): number | undefined {
  const form = whole ? /^-?\d+$/ : /^-?(\d+[.,]?\d*|[.,]\d+)$/;
  return form.test(text.trim()) ? Number(text.trim().replace(",", ".")) : undefined;
}

/** A name by which others call something: taken over when the field is left, and shown as it is where it cannot be. */
export function IdField({
  value,
  onRename,
  label,
  help,
  error,
}: {
  value: string;
  /** Says whether that is its name now. */
  onRename: (name: string) => boolean;
  label: string;
  help?: string;
  error?: string | undefined;
}) {
  const typed = useTyped(value, (value) => value);
  const leave = () => {
    const name = typed.text.trim();
    if (name === value || !onRename(name)) typed.reset();
  };
  return (
    <Field label={label} help={help} error={error}>
      <Input
        value={typed.text}
        maxLength={40}
        spellCheck={false}
        onChange={(event) => typed.type(event.target.value)}
        onBlur={leave}
      />
    </Field>
  );
}

/** A JSON object. What is none yet is kept as it is typed, and said; it counts as something that is not saved. */
export function JsonField({
  value,
  onChange,
  place,
  label,
  help,
  error,
  placeholder,
}: {
  value: unknown;
  onChange: (value: Record<string, unknown> | undefined) => void;
  /** Where it stands, by which what is unfinished is found again. */
  place: string;
  label: string;
  help: string;
  error?: string | undefined;
  placeholder: string;
}) {
  const { unfinished, tell } = useContext(Desk);
  const given = value ?? undefined;
  const typed = useTyped(given, (value) => (value === undefined ? "" : JSON.stringify(value, null, 2)));
  const broken = unfinished[place]?.text;
  return (
    <Field label={label} help={help} optional error={broken === undefined ? error : w.form.schemaBroken}>
      <FieldTextarea
        rows={6}
        spellCheck={false}
        value={broken ?? typed.text}
        placeholder={placeholder}
        className="font-mono text-xs"
        onChange={(event) => {
          const text = event.target.value;
          const next = schemaOf(text);
          tell(place, next === null ? text : null);
          if (next === null) return;
          typed.type(text, next);
          onChange(next);
        }}
      />
    </Field>
  );
}
