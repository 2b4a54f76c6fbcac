import type { Step } from "@/api/types";
import { type Branch, branchesOf, within } from "./model";

/** A step as it is drawn. */
export interface Box {
  step: Step;
  x: number;
  y: number;
  width: number;
  height: number;
  depth: number;
  /** Whether other steps are drawn in it. */
  holds: boolean;
  /** The headings of its branches, where it has more than one. */
  labels: { branch: Branch; x: number; y: number; width: number }[];
}

/** A step that follows another. */
export interface Arrow {
  from: string;
  to: string;
}

export interface Picture {
  boxes: Box[];
  arrows: Arrow[];
  width: number;
  height: number;
}

export const WIDTH = 224;
export const HEIGHT = 62;
const HEAD = 50;
const PAD = 16;
const GAP = 34;
const ASIDE = 20;
const LABEL = 22;
const HOLLOW = 34;

/**
 * Draws steps from the top to the bottom: what follows stands below, what happens at the same time stands side by side, and
 * what belongs to a step stands in it.
 */
export function layOut(steps: readonly Step[]): Picture {
  return sequence(steps, 0);
}

function shift(picture: Picture, x: number, y: number): Picture {
  const moved = picture.boxes.map((box) => ({
    ...box,
    x: box.x + x,
    y: box.y + y,
    labels: box.labels.map((label) => ({ ...label, x: label.x + x, y: label.y + y })),
  }));
  return { ...picture, boxes: moved };
}

function sequence(steps: readonly Step[], depth: number): Picture {
  const parts = steps.map((step) => one(step, depth));
  const width = Math.max(WIDTH, ...parts.map((part) => part.width));
  const boxes: Box[] = [];
  const arrows: Arrow[] = [];
  let y = 0;
  for (const [at, part] of parts.entries()) {
    const placed = shift(part, (width - part.width) / 2, y);
    boxes.push(...placed.boxes);
    arrows.push(...part.arrows);
    const [before, now] = [steps[at - 1], steps[at]];
    if (before && now) arrows.push({ from: before.id, to: now.id });
    y += part.height + GAP;
  }
  return { boxes, arrows, width, height: parts.length === 0 ? HOLLOW : y - GAP };
}

function row(parts: Picture[]): Picture {
  const boxes: Box[] = [];
  const arrows: Arrow[] = [];
  let x = 0;
  for (const part of parts) {
    boxes.push(...shift(part, x, 0).boxes);
    arrows.push(...part.arrows);
    x += part.width + ASIDE;
  }
  return {
    boxes,
    arrows,
    width: Math.max(WIDTH, x - ASIDE),
    height: Math.max(HOLLOW, ...parts.map((part) => part.height)),
  };
}

function one(step: Step, depth: number): Picture {
  const branches = branchesOf(step.type);
  // A review without steps for what was sent back is drawn like any other step.
  const plain =
    branches.length === 0 || (step.type === "human_review" && within(step, "children").length === 0);
  if (plain) {
    const box = { step, x: 0, y: 0, width: WIDTH, height: HEIGHT, depth, holds: false, labels: [] };
    return { boxes: [box], arrows: [], width: WIDTH, height: HEIGHT };
  }
  const children = within(step, "children");
  const columns = branches.map((branch) => sequence(within(step, branch), depth + 1));
  const inner = step.type === "parallel" ? row(children.map((child) => one(child, depth + 1))) : row(columns);
  const several = branches.length > 1;
  const top = HEAD + (several ? LABEL : 0);
  const placed = shift(inner, PAD, top);
  let x = PAD;
  const labels = several
    ? branches.map((branch, at) => {
        const width = columns[at]?.width ?? WIDTH;
        const label = { branch, x, y: HEAD, width };
        x += width + ASIDE;
        return label;
      })
    : [];
  const width = inner.width + 2 * PAD;
  const height = top + inner.height + PAD;
  const box = { step, x: 0, y: 0, width, height, depth, holds: true, labels };
  return { boxes: [box, ...placed.boxes], arrows: inner.arrows, width, height };
}
