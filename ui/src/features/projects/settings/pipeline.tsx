import { ChevronDown, ChevronUp, Plus, Trash2 } from "lucide-react";
import { useRef, useState } from "react";
import type { PipelineStep } from "@/api/types";
import { Section } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Switch } from "@/components/ui/switch";
import { ModelSelect } from "@/features/model-select";
import { TEMPLATES, w } from "./strings";

const STEPS = 10;
const p = w.pipeline;

/** A step that is being edited. */
export interface Draft extends PipelineStep {
  key: number;
}

let nextKey = 0;
export const draft = (step: PipelineStep): Draft => ({ ...step, key: nextKey++ });
export const stepsOf = (drafts: readonly Draft[]): PipelineStep[] =>
  drafts.map(({ key: _, ...step }) => ({
    ...step,
    name: step.name.trim(),
    instructions: step.instructions.trim(),
  }));

const fresh = (from: { name: string; instructions: string }): Draft =>
  draft({ ...from, model: null, enabled: true, onFailure: "stop", returns: 2 });

/** The project's pipeline: its steps in order, each with what it does and what follows when it fails. */
export function Pipeline({
  steps,
  onChange,
  mayManage,
  error,
}: {
  steps: Draft[];
  onChange: (steps: Draft[]) => void;
  mayManage: boolean;
  error: string | undefined;
}) {
  const [said, setSaid] = useState("");
  const list = useRef<HTMLOListElement>(null);
  const nameOf = (step: Draft, at: number) => step.name.trim() || p.unnamed(at + 1);
  const change = (at: number, part: Partial<Draft>) => {
    const before = steps[at];
    if (before) onChange(steps.with(at, { ...before, ...part }));
  };
  const move = (at: number, by: 1 | -1) => {
    const step = steps[at];
    if (step === undefined) return;
    onChange(steps.toSpliced(at, 1).toSpliced(at + by, 0, step));
    setSaid(p.moved(nameOf(step, at), at + by + 1, steps.length));
    // The button goes with its step, and the focus with the button; at an end it goes to the other one.
    requestAnimationFrame(() => {
      const buttons = list.current?.querySelectorAll<HTMLButtonElement>(
        `[data-step="${step.key}"] [data-move]`,
      );
      const wanted = [...(buttons ?? [])].find((button) => button.dataset.move === String(by));
      const other = [...(buttons ?? [])].find((button) => button !== wanted);
      (wanted?.disabled ? other : wanted)?.focus();
    });
  };
  const add = (from: { name: string; instructions: string }) => onChange([...steps, fresh(from)]);
  const has = (name: string) => steps.some((step) => step.name.trim().toLowerCase() === name.toLowerCase());
  return (
    <Section title={p.title} id="pipeline" lead={p.lead}>
      <div className="flex flex-col gap-4">
        {steps.length === 0 && <p className="text-faint text-sm">{p.empty}</p>}
        <ol ref={list} className="flex flex-col gap-3">
          {steps.map((step, at) => (
            <li
              key={step.key}
              data-step={step.key}
              aria-label={p.step(at + 1, nameOf(step, at))}
              className="rounded-xl border border-line bg-surface p-4 shadow-card"
            >
              <div className="flex items-center gap-1.5">
                <span className="num flex-1 font-medium text-sm">
                  {at + 1}. {nameOf(step, at)}
                </span>
                <Switch
                  checked={step.enabled ?? true}
                  onChange={(enabled) => change(at, { enabled })}
                  label={p.enabled}
                  disabled={!mayManage}
                />
                {mayManage && (
                  <>
                    <Button
                      variant="ghost"
                      size="icon-sm"
                      data-move="-1"
                      className="ml-2"
                      disabled={at === 0}
                      aria-label={p.up(nameOf(step, at))}
                      onClick={() => move(at, -1)}
                    >
                      <ChevronUp />
                    </Button>
                    <Button
                      variant="ghost"
                      size="icon-sm"
                      data-move="1"
                      disabled={at === steps.length - 1}
                      aria-label={p.down(nameOf(step, at))}
                      onClick={() => move(at, 1)}
                    >
                      <ChevronDown />
                    </Button>
                    <Button
                      variant="ghost"
                      size="icon-sm"
                      aria-label={p.remove(nameOf(step, at))}
                      onClick={() => onChange(steps.toSpliced(at, 1))}
                    >
                      <Trash2 />
                    </Button>
                  </>
                )}
              </div>
              <div className="mt-3 grid gap-4 sm:grid-cols-2">
                <Field label={p.name}>
                  <Input
                    value={step.name}
                    onChange={(event) => change(at, { name: event.target.value })}
                    required
                    maxLength={40}
                  />
                </Field>
                <Field label={p.model}>
                  <ModelSelect
                    value={step.model ?? null}
                    onChange={(model) => change(at, { model })}
                    none={p.ownModel}
                    disabled={!mayManage}
                  />
                </Field>
                <Field label={p.instructions} className="sm:col-span-2">
                  <FieldTextarea
                    value={step.instructions}
                    onChange={(event) => change(at, { instructions: event.target.value })}
                    required
                    maxLength={10_000}
                    className="min-h-24"
                  />
                </Field>
                <Field label={p.returns}>
                  <Select
                    value={String(step.returns)}
                    onChange={(value) => change(at, { returns: Number(value) })}
                    disabled={!mayManage}
                    options={p.returnsOf.map((label, times) => ({ value: String(times), label }))}
                  />
                </Field>
                <Field label={p.failure}>
                  <Select
                    value={step.onFailure ?? "stop"}
                    onChange={(onFailure) => change(at, { onFailure })}
                    disabled={!mayManage}
                    options={[
                      { value: "stop", label: p.onFailure.stop },
                      { value: "go_on", label: p.onFailure.go_on },
                    ]}
                  />
                </Field>
              </div>
            </li>
          ))}
        </ol>
        <span role="status" className="sr-only">
          {said}
        </span>
        {error && (
          <p role="alert" className="text-red text-sm">
            {error}
          </p>
        )}
        {mayManage && (
          <div className="flex flex-wrap gap-2">
            {(["review", "security", "docs"] as const)
              .filter((kind) => !has(TEMPLATES[kind].name))
              .map((kind) => (
                <Button
                  key={kind}
                  size="sm"
                  disabled={steps.length >= STEPS}
                  onClick={() => add(TEMPLATES[kind])}
                >
                  <Plus /> {p.template[kind]}
                </Button>
              ))}
            <Button
              size="sm"
              disabled={steps.length >= STEPS}
              onClick={() => add({ name: "", instructions: "" })}
            >
              <Plus /> {p.add}
            </Button>
          </div>
        )}
        <p className="text-faint text-xs">{p.note}</p>
      </div>
    </Section>
  );
}
