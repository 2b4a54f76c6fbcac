import { useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import type { AgentRole, SystemAgent, SystemDefinition, SystemProblem } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { ModelSelect } from "@/features/model-select";
import { systemQueries } from "./api";
import { Inputs } from "./input-form";
import { freeName } from "./model";
import { roles, w } from "./strings";
import { MoreOfSystem, ofMore } from "./system-more";

const s = w.system;

/** Of what is wrong, that which its field tells. */
const told = (path: string) => path === "name" || path === "description" || ofMore(path);

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
  const rest = problems.filter(({ path }) => !told(path));
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
      <MoreOfSystem
        definition={definition}
        onChange={onChange}
        wrong={wrong}
        open={problems.some(({ path }) => ofMore(path))}
      />
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
