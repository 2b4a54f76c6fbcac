import { Plus, Trash2 } from "lucide-react";
import { useContext } from "react";
import type { SystemDefinition } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { readValue, writeValue } from "./fit";
import { Folded } from "./folded";
import { freeName } from "./model";
import { w } from "./strings";
import { Desk, IdField, JsonField, useTyped } from "./typed";
import { placeOf } from "./use-desk";

const s = w.system;

interface Part {
  definition: SystemDefinition;
  onChange: (definition: SystemDefinition) => void;
}

/** Of what is wrong here, where: of the variables each by its name as well. */
export const ofMore = (path: string) =>
  ["variables", "category", "icon", "tags", "outputSchema"].includes(path) || path.startsWith("variables.");

/** What few systems need: variables with a value from the beginning, labels, and what their end looks like. */
export function MoreOfSystem({
  definition,
  onChange,
  wrong,
  open,
}: Part & {
  wrong: (path: string) => string | undefined;
  /** Whether there is something wrong in it. */
  open: boolean;
}) {
  const put = (name: "category" | "icon", value: string) => {
    const { [name]: _, ...rest } = definition;
    onChange(value === "" ? rest : { ...rest, [name]: value });
  };
  const tags = useTyped(definition.tags ?? [], (tags) => tags.join(", "));
  const result = placeOf("outputSchema");
  const unfinished = useContext(Desk).unfinished[result] !== undefined;
  return (
    <Folded summary={s.more} wrong={open || unfinished}>
      <div className="mt-3 flex flex-col gap-4 pb-1">
        <Variables definition={definition} onChange={onChange} wrong={wrong} />
        <div className="grid grid-cols-[1fr_6rem] gap-2">
          <Field label={s.category} optional error={wrong("category")}>
            <Input
              value={definition.category ?? ""}
              maxLength={80}
              onChange={(event) => put("category", event.target.value)}
            />
          </Field>
          <Field label={s.icon} optional error={wrong("icon")}>
            <Input
              value={definition.icon ?? ""}
              maxLength={80}
              onChange={(event) => put("icon", event.target.value)}
            />
          </Field>
        </div>
        <Field label={s.tags} help={s.tagsHelp} optional error={wrong("tags")}>
          <Input
            value={tags.text}
            onChange={(event) => {
              const named = event.target.value.split(",").map((tag) => tag.trim());
              const next = [...new Set(named.filter((tag) => tag !== ""))];
              tags.type(event.target.value, next);
              onChange({ ...definition, tags: next });
            }}
          />
        </Field>
        <JsonField
          place={result}
          label={s.output}
          help={s.outputHelp}
          placeholder='{"type": "object"}'
          error={wrong("outputSchema")}
          value={definition.outputSchema}
          onChange={(schema) => {
            const { outputSchema: _, ...rest } = definition;
            onChange(schema === undefined ? rest : { ...rest, outputSchema: schema });
          }}
        />
      </div>
    </Folded>
  );
}

function Variables({ definition, onChange, wrong }: Part & { wrong: (path: string) => string | undefined }) {
  const many = wrong("variables");
  const variables = Object.entries(definition.variables ?? {});
  const change = (next: [string, unknown][]) =>
    onChange({ ...definition, variables: Object.fromEntries(next) });
  const taken = variables.map(([name]) => name);
  const rename = (at: number, to: string) => {
    if (to === "" || taken.includes(to)) return false;
    change(variables.with(at, [to, variables[at]?.[1]]));
    return true;
  };
  return (
    <section aria-label={s.variables} className="flex flex-col gap-2">
      <h3 className="font-medium text-sm">{s.variables}</h3>
      <p className="text-faint text-xs">{s.variablesHelp}</p>
      {variables.map(([name, value], at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: by its name it would lose the focus when it gets another.
        <div key={at} className="flex items-start gap-2">
          <div className="w-28 shrink-0">
            <IdField
              label={w.form.id}
              error={wrong(`variables.${name}`)}
              value={name}
              onRename={(to) => rename(at, to)}
            />
          </div>
          <Value
            label={s.valueOf(name)}
            value={value}
            onChange={(next) => change(variables.with(at, [name, next]))}
          />
          <Button
            variant="ghost"
            size="icon-sm"
            className="mt-7"
            aria-label={s.removeVariable(name)}
            onClick={() => change(variables.toSpliced(at, 1))}
          >
            <Trash2 />
          </Button>
        </div>
      ))}
      {many && (
        <p role="alert" className="text-red text-xs">
          {many}
        </p>
      )}
      <Button
        size="sm"
        className="self-start"
        onClick={() => change([...variables, [freeName(taken, "value"), ""]])}
      >
        <Plus /> {s.addVariable}
      </Button>
    </section>
  );
}

function Value({
  label,
  value,
  onChange,
}: {
  label: string;
  value: unknown;
  onChange: (value: unknown) => void;
}) {
  const typed = useTyped(value, writeValue);
  return (
    <Field label={label} className="min-w-0 flex-1">
      <FieldTextarea
        rows={1}
        className="min-h-9"
        value={typed.text}
        onChange={(event) => {
          const next = readValue(event.target.value);
          typed.type(event.target.value, next);
          onChange(next);
        }}
      />
    </Field>
  );
}
