import { Plus, Trash2 } from "lucide-react";
import type { InputField, SystemDefinition } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Switch } from "@/components/ui/switch";
import { choicesOf, turn } from "./fit";
import { freeName } from "./model";
import { w } from "./strings";
import { IdField, NumberField, useTyped } from "./typed";

const s = w.system;

/** What whoever runs a system is asked for. */
export function Inputs({
  definition,
  onChange,
}: {
  definition: SystemDefinition;
  onChange: (definition: SystemDefinition) => void;
}) {
  const schema = definition.inputSchema ?? {};
  const fields = Object.entries(schema.properties ?? {});
  const required = schema.required ?? [];
  const change = (properties: Record<string, InputField>, needed: string[]) =>
    onChange({ ...definition, inputSchema: { type: "object", properties, required: needed } });
  const rename = (from: string, to: string) => {
    if (to === "" || fields.some(([name]) => name === to)) return false;
    change(
      Object.fromEntries(fields.map(([name, field]) => [name === from ? to : name, field])),
      required.map((name) => (name === from ? to : name)),
    );
    return true;
  };
  return (
    <section aria-label={s.inputs} className="flex flex-col gap-2">
      <h2 className="font-medium text-sm">{s.inputs}</h2>
      {fields.map(([name, field], at) => (
        <Asked
          // biome-ignore lint/suspicious/noArrayIndexKey: by its name it would lose the focus when it gets another.
          key={at}
          name={name}
          field={field}
          needed={required.includes(name)}
          onRename={(to) => rename(name, to)}
          onChange={(next) => change({ ...schema.properties, [name]: next }, required)}
          onNeeded={(needed) =>
            change(
              { ...schema.properties },
              needed ? [...required, name] : required.filter((other) => other !== name),
            )
          }
          onRemove={() =>
            change(
              Object.fromEntries(fields.filter(([other]) => other !== name)),
              required.filter((other) => other !== name),
            )
          }
        />
      ))}
      <Button
        size="sm"
        className="self-start"
        onClick={() => {
          const name = freeName(
            fields.map(([taken]) => taken),
            "topic",
          );
          change({ ...schema.properties, [name]: { type: "string" } }, required);
        }}
      >
        <Plus /> {s.addInput}
      </Button>
    </section>
  );
}

interface Part {
  field: InputField;
  onChange: (field: InputField) => void;
}

/** The field with one of its parts set, or without it. */
function set<K extends keyof InputField>(
  field: InputField,
  name: K,
  value: InputField[K] | undefined,
): InputField {
  const { [name]: _, ...rest } = field;
  return (value === undefined || value === "" ? rest : { ...rest, [name]: value }) as InputField;
}

function Asked({
  name,
  field,
  needed,
  onRename,
  onChange,
  onNeeded,
  onRemove,
}: Part & {
  name: string;
  needed: boolean;
  onRename: (to: string) => boolean;
  onNeeded: (needed: boolean) => void;
  onRemove: () => void;
}) {
  return (
    <div className="flex flex-col gap-3 rounded-lg border border-line p-3">
      <div className="grid grid-cols-2 gap-2">
        <IdField label={w.form.id} value={name} onRename={onRename} />
        <Field label={s.type}>
          <Select
            value={field.type}
            onChange={(type) => onChange(turn(field, type))}
            options={(Object.keys(s.types) as InputField["type"][]).map((value) => ({
              value,
              label: s.types[value],
            }))}
          />
        </Field>
      </div>
      <Field label={s.label} optional>
        <Input
          value={field.title ?? ""}
          onChange={(event) => onChange(set(field, "title", event.target.value))}
        />
      </Field>
      <details>
        <summary className="select-none text-muted text-sm">{s.moreOf(field.title ?? name)}</summary>
        <div className="mt-3 flex flex-col gap-3">
          <MoreOf field={field} onChange={onChange} />
        </div>
      </details>
      <div className="flex flex-wrap items-center gap-x-5 gap-y-2">
        <Switch label={s.required} checked={needed} onChange={onNeeded} />
        {field.type === "string" && (
          <Switch
            label={s.multiline}
            checked={field.format === "multiline"}
            onChange={(several) => onChange(set(field, "format", several ? "multiline" : undefined))}
          />
        )}
        <Button
          variant="ghost"
          size="icon-sm"
          className="ml-auto"
          aria-label={s.removeInput(name)}
          onClick={onRemove}
        >
          <Trash2 />
        </Button>
      </div>
    </div>
  );
}

/** What is meant by a field, and what it may hold. */
function MoreOf({ field, onChange }: Part) {
  const number = field.type === "number" || field.type === "integer";
  const bound = (name: "minimum" | "maximum" | "minLength" | "maxLength", label: string) => (
    <NumberField
      label={label}
      optional
      whole={field.type !== "number"}
      value={field[name] ?? undefined}
      onChange={(value) => onChange(set(field, name, value))}
    />
  );
  return (
    <>
      <Field label={s.help} optional>
        <FieldTextarea
          rows={2}
          value={field.description ?? ""}
          onChange={(event) => onChange(set(field, "description", event.target.value))}
        />
      </Field>
      <Usual field={field} onChange={onChange} />
      {(number || field.type === "string") && <Choices field={field} onChange={onChange} />}
      {number && (
        <div className="grid grid-cols-2 gap-2">
          {bound("minimum", s.least)}
          {bound("maximum", s.most)}
        </div>
      )}
      {field.type === "string" && (
        <div className="grid grid-cols-2 gap-2">
          {bound("minLength", s.shortest)}
          {bound("maxLength", s.longest)}
        </div>
      )}
    </>
  );
}

const lines = (value: unknown) => (Array.isArray(value) ? value.join("\n") : "");

/** What a field is when nothing is given. */
function Usual({ field, onChange }: Part) {
  const usual = field.default ?? undefined;
  const list = useTyped(usual, lines);
  const put = (value: unknown) => onChange(set(field, "default", value));
  if (field.type === "boolean")
    return (
      <Field label={s.usual}>
        <Select
          value={usual === undefined ? "" : String(usual)}
          onChange={(value) => put(value === "" ? undefined : value === "true")}
          options={[
            { value: "", label: s.noUsual },
            { value: "true", label: s.yes },
            { value: "false", label: s.no },
          ]}
        />
      </Field>
    );
  if (field.type === "number" || field.type === "integer")
    return (
      <NumberField
        label={s.usual}
        optional
        whole={field.type === "integer"}
        value={typeof usual === "number" ? usual : undefined}
        onChange={put}
      />
    );
  if (field.type === "array")
    return (
      <Field label={s.usual} help={w.list} optional>
        <FieldTextarea
          rows={2}
          value={list.text}
          onChange={(event) => {
            const text = event.target.value;
            const entries = text.split("\n").filter((line) => line.trim() !== "");
            const next = entries.length === 0 ? undefined : entries;
            list.type(text, next);
            put(next);
          }}
        />
      </Field>
    );
  return (
    <Field label={s.usual} optional>
      <FieldTextarea
        rows={field.format === "multiline" ? 3 : 1}
        className="min-h-9"
        value={typeof usual === "string" ? usual : ""}
        onChange={(event) => put(event.target.value)}
      />
    </Field>
  );
}

/** The only values that a field may have. */
function Choices({ field, onChange }: Part) {
  const typed = useTyped(field.enum ?? undefined, lines);
  return (
    <Field label={s.choices} help={s.choicesHelp} optional>
      <FieldTextarea
        rows={3}
        value={typed.text}
        onChange={(event) => {
          const next = choicesOf(event.target.value, field.type);
          typed.type(event.target.value, next);
          onChange(set(field, "enum", next));
        }}
      />
    </Field>
  );
}
