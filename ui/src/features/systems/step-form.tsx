import type { ReactNode } from "react";
import type { Condition, Step, SystemDefinition, SystemProblem, Transform } from "@/api/types";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Switch } from "@/components/ui/switch";
import { Folded } from "./folded";
import { kinds, operators, policies, transforms, w } from "./strings";
import { IdField, JsonField, NumberField, useTyped } from "./typed";
import { placeOf } from "./use-desk";

const f = w.form;
const MINUTE = 60_000;

/** The step without what is empty: an absent field and an empty one are the same to whoever writes it. */
function without(step: Step, field: keyof Step): Step {
  const { [field]: _, ...rest } = step;
  return rest as Step;
}

const put = <K extends keyof Step>(step: Step, field: K, value: Step[K] | undefined | ""): Step =>
  value === undefined || value === "" ? without(step, field) : { ...step, [field]: value };

/** What a step is, and what it does: everything that the server understands of it. */
export function StepForm({
  step,
  definition,
  problems,
  onChange,
  onRename,
  disabled,
}: {
  step: Step;
  definition: SystemDefinition;
  problems: readonly SystemProblem[];
  onChange: (step: Step) => void;
  /** Says whether that is its id now. */
  onRename: (id: string) => boolean;
  disabled: boolean;
}) {
  const wrong = (field: string) => problems.find(({ path }) => path.endsWith(`.${field}`))?.message;
  const rest = problems.filter(({ path }) => !KNOWN.some((field) => path.endsWith(`.${field}`)));
  return (
    <fieldset disabled={disabled} className="flex min-w-0 flex-col gap-4">
      <legend className="mb-3 font-medium text-sm">
        {kinds[step.type].label} <span className="font-normal text-faint">{kinds[step.type].help}</span>
      </legend>
      <Field label={f.name} error={wrong("name")}>
        <Input
          value={step.name}
          maxLength={80}
          onChange={(event) => onChange({ ...step, name: event.target.value })}
        />
      </Field>
      <IdField label={f.id} help={f.idHelp} error={wrong("id")} value={step.id} onRename={onRename} />
      <Own step={step} definition={definition} wrong={wrong} onChange={onChange} />
      <Field label={f.variable} optional error={wrong("outputVariable")}>
        <Input
          value={step.outputVariable ?? ""}
          maxLength={40}
          spellCheck={false}
          onChange={(event) => onChange(put(step, "outputVariable", event.target.value))}
        />
      </Field>
      <More step={step} wrong={wrong} onChange={onChange} />
      {rest.map((problem) => (
        <p key={problem.path + problem.message} role="alert" className="text-red text-xs">
          {problem.message}
        </p>
      ))}
    </fieldset>
  );
}

/** Of what is wrong, that which is told of failure and time. */
const OF_MORE = ["timeoutMs", "retry.maxAttempts", "retry.delayMs", "retry.backoffMultiplier"];

const KNOWN = [
  "name",
  "id",
  "agentId",
  "inputTemplate",
  "outputVariable",
  "condition.field",
  "condition.value",
  "outputSchema",
  "maxIterations",
  "transform",
  "transform.template",
  "transform.fields",
  ...OF_MORE,
];

type Wrong = (field: string) => string | undefined;

function Own({
  step,
  definition,
  wrong,
  onChange,
}: {
  step: Step;
  definition: SystemDefinition;
  wrong: Wrong;
  onChange: (step: Step) => void;
}): ReactNode {
  switch (step.type) {
    case "agent":
      return (
        <>
          <Field label={f.agent} error={wrong("agentId")}>
            <Select
              value={step.agentId ?? ""}
              placeholder={f.noAgent}
              onChange={(agentId) => onChange({ ...step, agentId })}
              options={(definition.agents ?? []).map((agent) => ({ value: agent.id, label: agent.name }))}
            />
          </Field>
          <Field label={f.asked} help={f.templateHelp} error={wrong("inputTemplate")}>
            <FieldTextarea
              rows={8}
              value={step.inputTemplate ?? ""}
              onChange={(event) => onChange({ ...step, inputTemplate: event.target.value })}
            />
          </Field>
          <div className="grid grid-cols-2 gap-3">
            <Field label={f.mode}>
              <Select
                value={step.mode ?? "read"}
                onChange={(mode) => onChange({ ...step, mode })}
                options={[
                  { value: "read", label: f.read },
                  { value: "work", label: f.work },
                ]}
              />
            </Field>
            <Field label={f.format}>
              <Select
                value={step.outputFormat ?? "text"}
                onChange={(outputFormat) =>
                  onChange({
                    ...(outputFormat === "json" ? step : without(step, "outputSchema")),
                    outputFormat,
                  })
                }
                options={[
                  { value: "text", label: f.text },
                  { value: "json", label: f.json },
                ]}
              />
            </Field>
          </div>
          {step.outputFormat === "json" && (
            <JsonField
              place={placeOf("outputSchema", step.id)}
              label={f.schema}
              help={f.schemaHelp}
              placeholder='{"type": "object", "required": ["verdict"]}'
              error={wrong("outputSchema")}
              value={step.outputSchema}
              onChange={(schema) => onChange(put(step, "outputSchema", schema))}
            />
          )}
        </>
      );
    case "human_review":
      return (
        <>
          <Field label={f.shown} help={f.templateHelp} error={wrong("inputTemplate")}>
            <FieldTextarea
              rows={5}
              value={step.inputTemplate ?? ""}
              onChange={(event) => onChange({ ...step, inputTemplate: event.target.value })}
            />
          </Field>
          <NumberField
            label={f.back}
            whole
            optional
            placeholder="5"
            error={wrong("maxIterations")}
            value={step.maxIterations ?? undefined}
            onChange={(times) => onChange(put(step, "maxIterations", times))}
          />
        </>
      );
    case "conditional":
      return (
        <ConditionForm
          condition={step.condition ?? EMPTY}
          wrong={wrong}
          onChange={(condition) => onChange({ ...step, condition })}
        />
      );
    case "loop":
      return (
        <>
          <Field label={f.loopWhile}>
            <Select
              value={step.condition ? "when" : "always"}
              onChange={(how) =>
                onChange(how === "when" ? { ...step, condition: EMPTY } : without(step, "condition"))
              }
              options={[
                { value: "always", label: f.always },
                { value: "when", label: f.when },
              ]}
            />
          </Field>
          {step.condition && (
            <ConditionForm
              condition={step.condition}
              wrong={wrong}
              onChange={(condition) => onChange({ ...step, condition })}
            />
          )}
          <NumberField
            label={f.rounds}
            whole
            error={wrong("maxIterations")}
            value={step.maxIterations ?? undefined}
            onChange={(rounds) => onChange(put(step, "maxIterations", rounds))}
          />
        </>
      );
    case "parallel":
      return (
        <Field label={f.policy}>
          <Select
            value={step.failurePolicy ?? "fail_all"}
            onChange={(failurePolicy) => onChange({ ...step, failurePolicy })}
            options={(Object.keys(policies) as (keyof typeof policies)[]).map((value) => ({
              value,
              label: policies[value],
            }))}
          />
        </Field>
      );
    case "transform":
      return <TransformForm step={step} wrong={wrong} onChange={onChange} />;
    default:
      return null;
  }
}

const EMPTY: Condition = { field: "", operator: "equals", value: "" };

function ConditionForm({
  condition,
  wrong,
  onChange,
}: {
  condition: Condition;
  wrong: Wrong;
  onChange: (condition: Condition) => void;
}) {
  const compares = condition.operator !== "exists" && condition.operator !== "notExists";
  return (
    <div className="flex flex-col gap-3 rounded-lg border border-line p-3">
      <Field label={f.field} error={wrong("condition.field")}>
        <Input
          value={condition.field}
          placeholder="steps.review.output"
          spellCheck={false}
          onChange={(event) => onChange({ ...condition, field: event.target.value })}
        />
      </Field>
      <Field label={f.operator}>
        <Select
          value={condition.operator}
          onChange={(operator) => onChange({ ...condition, operator })}
          options={(Object.keys(operators) as (keyof typeof operators)[]).map((value) => ({
            value,
            label: operators[value],
          }))}
        />
      </Field>
      {compares && (
        <Field label={f.value} error={wrong("condition.value")}>
          <Input
            value={
              typeof condition.value === "string" ? condition.value : JSON.stringify(condition.value ?? "")
            }
            onChange={(event) => onChange({ ...condition, value: event.target.value })}
          />
        </Field>
      )}
    </div>
  );
}

function TransformForm({
  step,
  wrong,
  onChange,
}: {
  step: Step;
  wrong: Wrong;
  onChange: (step: Step) => void;
}) {
  const made: Transform = step.transform ?? { op: "template", template: "" };
  const change = (transform: Transform) => onChange({ ...step, transform });
  const turn = (op: Transform["op"]) => {
    if (op === "template") return change({ op, template: "" });
    if (op === "fields") return change({ op, fields: {} });
    change({ op, from: "from" in made ? made.from : "" });
  };
  return (
    <>
      <Field label={f.transform} error={wrong("transform")}>
        <Select
          value={made.op}
          onChange={turn}
          options={(Object.keys(transforms) as Transform["op"][]).map((value) => ({
            value,
            ...transforms[value],
          }))}
        />
      </Field>
      {made.op === "template" ? (
        <Field label={f.template} help={f.templateHelp} error={wrong("transform.template")}>
          <FieldTextarea
            rows={5}
            value={made.template}
            onChange={(event) => change({ op: "template", template: event.target.value })}
          />
        </Field>
      ) : made.op === "fields" ? (
        <FieldsField
          fields={made.fields}
          error={wrong("transform.fields")}
          onChange={(fields) => change({ op: "fields", fields })}
        />
      ) : (
        <Field label={f.from}>
          <Input
            value={made.from}
            spellCheck={false}
            placeholder="steps.plan.output"
            onChange={(event) => change({ op: made.op, from: event.target.value })}
          />
        </Field>
      )}
    </>
  );
}

type Paths = Record<string, string>;

function FieldsField({
  fields,
  error,
  onChange,
}: {
  fields: Paths;
  error: string | undefined;
  onChange: (fields: Paths) => void;
}) {
  const typed = useTyped(fields, (fields) =>
    Object.entries(fields)
      .map(([name, path]) => `${name} = ${path}`)
      .join("\n"),
  );
  return (
    <Field label={f.fields} help={f.fieldsHelp} error={error}>
      <FieldTextarea
        rows={4}
        spellCheck={false}
        value={typed.text}
        onChange={(event) => {
          const next = fieldsOf(event.target.value);
          typed.type(event.target.value, next);
          onChange(next);
        }}
      />
    </Field>
  );
}

function fieldsOf(text: string): Paths {
  const lines = text.split("\n").map((line) => line.split("="));
  const pairs = lines.map(([name, ...path]) => [name?.trim() ?? "", path.join("=").trim()] as const);
  return Object.fromEntries(pairs.filter(([name]) => name !== ""));
}

/** Tries, the time between them, and by what that grows. */
const ONCE = { maxAttempts: 1, delayMs: 0, backoffMultiplier: 1 };

function More({ step, wrong, onChange }: { step: Step; wrong: Wrong; onChange: (step: Step) => void }) {
  const again = step.type === "agent" || step.type === "transform";
  const retry = { ...ONCE, ...step.retry };
  const set = (part: Partial<typeof ONCE>) => {
    const next = { ...retry, ...part };
    // Who types a ten comes by a one: what is said of the time between tries stays.
    const says = (Object.keys(ONCE) as (keyof typeof ONCE)[]).some((field) => next[field] !== ONCE[field]);
    onChange(says ? { ...step, retry: next } : without(step, "retry"));
  };
  return (
    <Folded summary={f.more} wrong={OF_MORE.some((field) => wrong(field) !== undefined)}>
      <div className="mt-3 flex flex-col gap-3 pb-1">
        <Switch
          checked={step.optional ?? false}
          onChange={(optional) => onChange(optional ? { ...step, optional } : without(step, "optional"))}
          label={f.optional}
        />
        {step.type !== "human_review" && (
          <NumberField
            label={f.timeout}
            optional
            error={wrong("timeoutMs")}
            value={step.timeoutMs == null ? undefined : step.timeoutMs / MINUTE}
            onChange={(minutes) =>
              onChange(
                put(step, "timeoutMs", minutes === undefined ? undefined : Math.round(minutes * MINUTE)),
              )
            }
          />
        )}
        {again && (
          <div className="grid grid-cols-3 items-end gap-2">
            <NumberField
              label={f.attempts}
              whole
              error={wrong("retry.maxAttempts")}
              value={retry.maxAttempts}
              onChange={(maxAttempts = 1) => set({ maxAttempts })}
            />
            <NumberField
              label={f.delay}
              error={wrong("retry.delayMs")}
              value={retry.delayMs / 1000}
              onChange={(seconds = 0) => set({ delayMs: Math.round(seconds * 1000) })}
            />
            <NumberField
              label={f.backoff}
              error={wrong("retry.backoffMultiplier")}
              value={retry.backoffMultiplier}
              onChange={(backoffMultiplier = 1) => set({ backoffMultiplier })}
            />
          </div>
        )}
      </div>
    </Folded>
  );
}
