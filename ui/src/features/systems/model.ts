import type { Position, Step, StepKind, SystemDefinition } from "@/api/types";

/** Where steps stand within another. */
export type Branch = "children" | "trueBranch" | "falseBranch";

const BRANCHES: readonly Branch[] = ["children", "trueBranch", "falseBranch"];

/** The branches that a step of this kind has. */
export function branchesOf(kind: StepKind): readonly Branch[] {
  switch (kind) {
    case "conditional":
      return ["trueBranch", "falseBranch"];
    case "parallel":
    case "sequential":
    case "loop":
    case "human_review":
      return ["children"];
    default:
      return [];
  }
}

export const within = (step: Step, branch: Branch): Step[] => step[branch] ?? [];

/** A place among steps: in a branch of another step, or at the top. */
export interface Place {
  parent: string | null;
  branch: Branch;
  at: number;
}

/** A step with its place. */
export interface Found extends Place {
  step: Step;
  depth: number;
  /** How many stand beside it. */
  count: number;
}

/** Every step, each before those within it. */
export function* walk(
  steps: readonly Step[],
  parent: string | null = null,
  branch: Branch = "children",
  depth = 0,
): Generator<Found> {
  for (const [at, step] of steps.entries()) {
    yield { step, parent, branch, at, depth, count: steps.length };
    for (const own of BRANCHES) yield* walk(within(step, own), step.id, own, depth + 1);
  }
}

export function find(steps: readonly Step[], id: string): Found | undefined {
  for (const found of walk(steps)) if (found.step.id === id) return found;
  return undefined;
}

/** The steps with the list of one branch changed. */
function changeList(
  steps: readonly Step[],
  parent: string | null,
  branch: Branch,
  change: (list: Step[]) => Step[],
): Step[] {
  if (parent === null) return change([...steps]);
  return steps.map((step) => {
    if (step.id === parent) return { ...step, [branch]: change(within(step, branch)) };
    let next = step;
    for (const own of BRANCHES) {
      const inner = within(step, own);
      if (inner.length > 0) next = { ...next, [own]: changeList(inner, parent, branch, change) };
    }
    return next;
  });
}

export function update(steps: readonly Step[], id: string, change: (step: Step) => Step): Step[] {
  const found = find(steps, id);
  if (found === undefined) return [...steps];
  return changeList(steps, found.parent, found.branch, (list) => list.with(found.at, change(found.step)));
}

export const insert = (steps: readonly Step[], place: Place, step: Step): Step[] =>
  changeList(steps, place.parent, place.branch, (list) => list.toSpliced(place.at, 0, step));

export function remove(steps: readonly Step[], id: string): Step[] {
  const found = find(steps, id);
  if (found === undefined) return [...steps];
  return changeList(steps, found.parent, found.branch, (list) => list.toSpliced(found.at, 1));
}

/** Moves a step among those beside it. */
export function move(steps: readonly Step[], id: string, by: 1 | -1): Step[] {
  const found = find(steps, id);
  const to = found === undefined ? -1 : found.at + by;
  if (found === undefined || to < 0 || to >= found.count) return [...steps];
  return changeList(steps, found.parent, found.branch, (list) =>
    list.toSpliced(found.at, 1).toSpliced(to, 0, found.step),
  );
}

/** A step that is laid out by itself. */
export function free(step: Step): Step {
  const { position: _, ...rest } = step;
  return rest;
}

/** Puts a step somewhere in the picture, or lets it be laid out by itself. */
export const place = (steps: readonly Step[], id: string, at: Position | null): Step[] =>
  update(steps, id, (step) =>
    at === null ? free(step) : { ...step, position: { x: Math.round(at.x), y: Math.round(at.y) } },
  );

/** All steps laid out by themselves. */
export const placeNone = (steps: readonly Step[]): Step[] =>
  steps.map((step) => {
    const next = free(step);
    for (const own of BRANCHES) if (within(step, own).length > 0) next[own] = placeNone(within(step, own));
    return next;
  });

/** An id that no step has yet. */
export function freeId(steps: readonly Step[], stem: string): string {
  const taken = new Set([...walk(steps)].map(({ step }) => step.id));
  for (let n = 1; ; n++) {
    const id = n === 1 ? stem : `${stem}-${n}`;
    if (!taken.has(id)) return id;
  }
}

/** A name that nothing has yet. */
export function freeName(taken: readonly string[], stem: string) {
  for (let n = 1; ; n++) {
    const name = n === 1 ? stem : `${stem}${n}`;
    if (!taken.includes(name)) return name;
  }
}

const STEMS: Record<StepKind, { stem: string; name: string }> = {
  agent: { stem: "work", name: "Work" },
  human_review: { stem: "review", name: "Review" },
  conditional: { stem: "choose", name: "Choose" },
  parallel: { stem: "together", name: "Together" },
  sequential: { stem: "sequence", name: "Sequence" },
  loop: { stem: "rounds", name: "Rounds" },
  transform: { stem: "make", name: "Make" },
};

/** A new step of this kind, filled with what it cannot do without. */
export function newStep(kind: StepKind, definition: SystemDefinition): Step {
  const { stem, name } = STEMS[kind];
  const step: Step = { id: freeId(definition.workflow ?? [], stem), type: kind, name };
  switch (kind) {
    case "agent": {
      const agent = definition.agents?.[0]?.id;
      return { ...step, inputTemplate: "", mode: "read", ...(agent === undefined ? {} : { agentId: agent }) };
    }
    case "human_review":
      return { ...step, inputTemplate: "" };
    case "conditional":
      return { ...step, condition: { field: "", operator: "equals", value: "" } };
    case "loop":
      return { ...step, maxIterations: 3 };
    case "parallel":
      return { ...step, failurePolicy: "fail_all" };
    case "transform":
      return { ...step, transform: { op: "template", template: "" } };
    default:
      return step;
  }
}

/** Gives a step another id, in the templates and paths that name it as well. */
export function renameStep(definition: SystemDefinition, from: string, to: string): SystemDefinition {
  const path = new RegExp(`\\bsteps\\.${from.replace(/[^\w-]/g, "\\$&")}(?=\\.)`, "g");
  const text = JSON.stringify(definition.workflow ?? [], (key, value: unknown) =>
    key !== "id" && typeof value === "string" ? value.replace(path, `steps.${to}`) : value,
  );
  const workflow = update(JSON.parse(text) as Step[], from, (step) => ({ ...step, id: to }));
  return { ...definition, workflow };
}

/** The JSON of a schema that somebody writes: absent where nothing is written, null while it is no JSON object. */
export function schemaOf(text: string): Record<string, unknown> | undefined | null {
  if (text.trim() === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** A system with nothing in it but a place to begin. */
export const freshSystem = (name: string): SystemDefinition => ({
  name,
  description: "",
  agents: [{ id: "worker", name: "Worker", role: "researcher" }],
  workflow: [
    {
      id: "work",
      type: "agent",
      name: "Work",
      agentId: "worker",
      mode: "read",
      inputTemplate: "{{task}}",
    },
  ],
  inputSchema: {
    type: "object",
    properties: { task: { type: "string", title: "Task", format: "multiline" } },
    required: ["task"],
  },
  variables: {},
  tags: [],
});
