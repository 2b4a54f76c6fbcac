import { useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import type { AgentRole, InputField, SystemAgent, SystemDefinition, SystemProblem } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Switch } from "@/components/ui/switch";
import { ModelSelect } from "@/features/model-select";
import { systemQueries } from "./api";
import { roles, w } from "./strings";

const s = w.system;

/** What belongs to a system as a whole: its name, its agents, and what it asks for. */
export function SystemForm({
  definition,
  problems,
  onChange,
  disabled,
}: {
  definition: SystemDefinition;
  problems: readonly SystemProblem[];
  onChange: (definition: SystemDefinition) => void;
  disabled: boolean;
}) {
  const wrong = (path: string) => problems.find((problem) => problem.path === path)?.message;
  const rest = problems.filter(({ path }) => path !== "name" && path !== "description");
  return (
    <fieldset disabled={disabled} className="flex min-w-0 flex-col gap-4">
      <legend className="sr-only">{w.settings}</legend>
      <Field label={s.name} error={wrong("name")}>
        <Input
          value={definition.name}
          maxLength={80}
          onChange={(event) => onChange({ ...definition, name: event.target.value })}
        />
      </Field>
      <Field label={s.description} optional error={wrong("description")}>
        <FieldTextarea
          rows={3}
          value={definition.description ?? ""}
          onChange={(event) => onChange({ ...definition, description: event.target.value })}
        />
      </Field>
      <Agents definition={definition} onChange={onChange} />
      <Inputs definition={definition} onChange={onChange} />
      {rest.map((problem) => (
        <p key={problem.path + problem.message} role="alert" className="text-red text-xs">
          <code>{problem.path}</code>: {problem.message}
        </p>
      ))}
    </fieldset>
  );
}

interface Part {
  definition: SystemDefinition;
  onChange: (definition: SystemDefinition) => void;
}

function freeName(taken: readonly string[], stem: string) {
  for (let n = 1; ; n++) {
    const name = n === 1 ? stem : `${stem}${n}`;
    if (!taken.includes(name)) return name;
  }
}

function Agents({ definition, onChange }: Part) {
  const agents = definition.agents ?? [];
  const set = (at: number, agent: SystemAgent) => onChange({ ...definition, agents: agents.with(at, agent) });
  const add = () => {
    const id = freeName(
      agents.map((agent) => agent.id),
      "agent",
    );
    onChange({ ...definition, agents: [...agents, { id, name: "Agent", role: "researcher" }] });
  };
  return (
    <section aria-label={s.agents} className="flex flex-col gap-2">
      <h2 className="font-medium text-sm">{s.agents}</h2>
      {agents.map((agent, at) => (
        <details key={agent.id} className="rounded-lg border border-line px-3 py-2">
          <summary className="select-none text-sm">
            {agent.name} <span className="text-faint text-xs">{roles[agent.role]}</span>
          </summary>
          <div className="mt-3 flex flex-col gap-3 pb-1">
            <Field label={s.name}>
              <Input
                value={agent.name}
                maxLength={80}
                onChange={(event) => set(at, { ...agent, name: event.target.value })}
              />
            </Field>
            <Field label={s.role}>
              <Select
                value={agent.role}
                onChange={(role) => set(at, { ...agent, role })}
                options={(Object.keys(roles) as AgentRole[]).map((value) => ({ value, label: roles[value] }))}
              />
            </Field>
            <Field label={s.library}>
              <Library
                value={agent.agentId ?? null}
                onChange={(agentId) => {
                  const { agentId: _, ...bare } = agent;
                  set(at, agentId === null ? bare : { ...bare, agentId });
                }}
              />
            </Field>
            <Field label={s.prompt} help={s.promptHelp} optional>
              <FieldTextarea
                rows={5}
                value={agent.promptOverride ?? ""}
                onChange={(event) => {
                  const { promptOverride: _, ...bare } = agent;
                  const prompt = event.target.value;
                  set(at, prompt === "" ? bare : { ...bare, promptOverride: prompt });
                }}
              />
            </Field>
            <Field label={s.model}>
              <ModelSelect
                value={agent.modelOverride ?? null}
                none={s.noModel}
                onChange={(model) => {
                  const { modelOverride: _, ...bare } = agent;
                  set(at, model === null ? bare : { ...bare, modelOverride: model });
                }}
              />
            </Field>
            <Button
              size="sm"
              className="self-start"
              aria-label={s.removeAgent(agent.name)}
              onClick={() => onChange({ ...definition, agents: agents.toSpliced(at, 1) })}
            >
              <Trash2 /> {s.removeAgent(agent.name)}
            </Button>
          </div>
        </details>
      ))}
      <Button size="sm" className="self-start" onClick={add}>
        <Plus /> {s.addAgent}
      </Button>
    </section>
  );
}

const NONE = "";

/** One of the team's agents, whose prompt, model and tools it has then. */
function Library({ value, onChange }: { value: string | null; onChange: (id: string | null) => void }) {
  const agents = useQuery(systemQueries.agents()).data ?? [];
  const options: { value: string; label: string; help?: string }[] = [
    { value: NONE, label: s.noLibrary },
    ...agents.map((agent) => ({ value: agent.id, label: agent.name, help: agent.description })),
  ];
  // One that was archived is shown all the same: it is what the system says.
  if (value !== null && !agents.some((agent) => agent.id === value)) options.push({ value, label: s.gone });
  return (
    <Select value={value ?? NONE} onChange={(id) => onChange(id === NONE ? null : id)} options={options} />
  );
}

function Inputs({ definition, onChange }: Part) {
  const schema = definition.inputSchema ?? {};
  const fields = Object.entries(schema.properties ?? {});
  const required = schema.required ?? [];
  const change = (properties: Record<string, InputField>, needed: string[]) =>
    onChange({ ...definition, inputSchema: { type: "object", properties, required: needed } });
  const set = (name: string, field: InputField) => change({ ...schema.properties, [name]: field }, required);
  const rename = (from: string, to: string) => {
    if (to === "" || to === from || fields.some(([name]) => name === to)) return;
    change(
      Object.fromEntries(fields.map(([name, field]) => [name === from ? to : name, field])),
      required.map((name) => (name === from ? to : name)),
    );
  };
  return (
    <section aria-label={s.inputs} className="flex flex-col gap-2">
      <h2 className="font-medium text-sm">{s.inputs}</h2>
      {fields.map(([name, field]) => (
        <div key={name} className="flex flex-col gap-3 rounded-lg border border-line p-3">
          <div className="grid grid-cols-2 gap-2">
            <Field label={w.form.id}>
              <Input
                defaultValue={name}
                spellCheck={false}
                onBlur={(event) => rename(name, event.target.value.trim())}
              />
            </Field>
            <Field label={s.type}>
              <Select
                value={field.type}
                onChange={(type) => set(name, { ...(field.title ? { title: field.title } : {}), type })}
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
              onChange={(event) => set(name, { ...field, title: event.target.value })}
            />
          </Field>
          <div className="flex flex-wrap items-center gap-x-5 gap-y-2">
            <Switch
              label={s.required}
              checked={required.includes(name)}
              onChange={(needed) =>
                change(
                  { ...schema.properties },
                  needed ? [...required, name] : required.filter((other) => other !== name),
                )
              }
            />
            {field.type === "string" && (
              <Switch
                label={s.multiline}
                checked={field.format === "multiline"}
                onChange={(several) => {
                  const { format: _, ...bare } = field;
                  set(name, several ? { ...bare, format: "multiline" } : bare);
                }}
              />
            )}
            <Button
              variant="ghost"
              size="icon-sm"
              className="ml-auto"
              aria-label={s.removeInput(name)}
              onClick={() =>
                change(
                  Object.fromEntries(fields.filter(([other]) => other !== name)),
                  required.filter((other) => other !== name),
                )
              }
            >
              <Trash2 />
            </Button>
          </div>
        </div>
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
