import type { Step, SystemDefinition } from "@/api/types";
import { find, free, insert, newStep, remove, update, walk, within } from "./model";

/** Whether a step is another, or stands within it. */
function holds(steps: readonly Step[], outer: string, inner: string): boolean {
  const found = find(steps, outer);
  if (found === undefined) return false;
  for (const { step } of walk([found.step])) if (step.id === inner) return true;
  return false;
}

/** The step that another follows straight away, if an arrow leads from one to the other. */
export function stepBefore(steps: readonly Step[], id: string): Step | undefined {
  const found = find(steps, id);
  if (found === undefined || found.at === 0 || isTogether(steps, found.parent)) return undefined;
  const beside =
    found.parent === null ? steps : within(find(steps, found.parent)?.step as Step, found.branch);
  return beside[found.at - 1];
}

const isTogether = (steps: readonly Step[], parent: string | null) =>
  parent !== null && find(steps, parent)?.step.type === "parallel";

/** Whether an arrow can be drawn: no step follows itself, what stands in it, or what it stands in. */
export const canFollow = (steps: readonly Step[], from: string, to: string): boolean =>
  find(steps, from) !== undefined &&
  find(steps, to) !== undefined &&
  !holds(steps, from, to) &&
  !holds(steps, to, from) &&
  stepBefore(steps, to)?.id !== from;

/** A step that holds these, with an id and a name that nobody has yet. It stands where the first of them stood. */
function holder(definition: SystemDefinition, kind: "sequential" | "parallel", children: Step[]): Step {
  const position = children[0]?.position;
  return {
    ...newStep(kind, definition),
    ...(position == null ? {} : { position }),
    children: children.map(free),
  };
}

/**
 * An arrow from one step to another: the second comes straight after the first, with all that stands in it, and what followed the
 * first follows the second. Of steps at the same time, the two become a sequence among them.
 */
export function follow(definition: SystemDefinition, from: string, to: string): SystemDefinition {
  const steps = definition.workflow ?? [];
  const found = find(steps, to)?.step;
  if (found === undefined || !canFollow(steps, from, to)) return definition;
  // Where it stood says nothing among other steps.
  const moved = free(found);
  const rest = remove(steps, to);
  const place = find(rest, from);
  if (place === undefined) return definition;
  const workflow = isTogether(rest, place.parent)
    ? update(rest, from, (first) => holder(definition, "sequential", [first, moved]))
    : insert(rest, { parent: place.parent, branch: place.branch, at: place.at + 1 }, moved);
  return { ...definition, workflow };
}

/**
 * Takes the arrow to a step away: it waits no longer for the one before it, and both happen at the same time. What followed waits
 * for both.
 */
export function part(definition: SystemDefinition, id: string): SystemDefinition {
  const steps = definition.workflow ?? [];
  const first = stepBefore(steps, id);
  const moved = find(steps, id)?.step;
  if (first === undefined || moved === undefined) return definition;
  const rest = remove(steps, id);
  const workflow = update(rest, first.id, (step) =>
    step.type === "parallel"
      ? { ...step, children: [...within(step, "children"), free(moved)] }
      : holder(definition, "parallel", [step, moved]),
  );
  return { ...definition, workflow };
}
