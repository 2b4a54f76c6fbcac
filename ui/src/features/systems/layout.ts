import type { Position, Step } from "@/api/types";
import { type Branch, branchesOf, within } from "./model";

/** A step as it is drawn. */
export interface Box {
  step: Step;
  x: number;
  y: number;
  width: number;
  height: number;
  depth: number;
  /** Where it stands among the steps that it is one of. */
  at: Position;
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
const HERE: Position = { x: 0, y: 0 };

/**
 * Draws steps from the top to the bottom: what follows stands below, what happens at the same time stands side by side, and
 * what belongs to a step stands in it. A step that somebody put elsewhere stands there, seen from where the steps beside it begin; those
 * stay where they would be anyhow, and what holds it is as large as that needs.
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

/** Puts pictures of steps that stand beside one another where they belong: each at its place, or where somebody put it. */
function put(parts: readonly Picture[], steps: readonly Step[], places: readonly Position[], depth: number) {
  const size = { width: 0, height: 0 };
  const boxes = parts.flatMap((part, n) => {
    const own = steps[n]?.position;
    // Within another step nothing stands over its edge or its heading.
    const inside = (offset: number) => (depth === 0 ? offset : Math.max(0, offset));
    const at = own == null ? (places[n] as Position) : { x: inside(own.x), y: inside(own.y) };
    size.width = Math.max(size.width, at.x + part.width);
    size.height = Math.max(size.height, at.y + part.height);
    const [outer, ...inner] = shift(part, at.x, at.y).boxes;
    return outer === undefined ? [] : [{ ...outer, at }, ...inner];
  });
  return { boxes, arrows: parts.flatMap((part) => part.arrows), ...size };
}

function sequence(steps: readonly Step[], depth: number): Picture {
  const parts = steps.map((step) => one(step, depth));
  const width = Math.max(WIDTH, ...parts.map((part) => part.width));
  let y = 0;
  const places = parts.map((part) => {
    const place = { x: (width - part.width) / 2, y };
    y += part.height + GAP;
    return place;
  });
  const picture = put(parts, steps, places, depth);
  const arrows = steps.slice(1).map((step, n) => ({ from: steps[n]?.id ?? "", to: step.id }));
  return {
    boxes: picture.boxes,
    arrows: [...picture.arrows, ...arrows],
    width: Math.max(width, picture.width),
    height: parts.length === 0 ? HOLLOW : picture.height,
  };
}

/** From the left to the right. */
function across(parts: readonly Picture[]): Position[] {
  let x = 0;
  return parts.map((part) => {
    const place = { x, y: 0 };
    x += part.width + ASIDE;
    return place;
  });
}

function row(parts: readonly Picture[], steps: readonly Step[], depth: number): Picture {
  const { width, height, ...picture } = put(parts, steps, across(parts), depth);
  return { ...picture, width: Math.max(WIDTH, width), height: Math.max(HOLLOW, height) };
}

/** Branches, side by side; they are no steps, and nobody puts them elsewhere. */
function columnsOf(parts: readonly Picture[]): Picture {
  const moved = parts.map((part, n) => shift(part, across(parts)[n]?.x ?? 0, 0));
  const last = parts.length - 1;
  return {
    boxes: moved.flatMap((part) => part.boxes),
    arrows: parts.flatMap((part) => part.arrows),
    width: Math.max(WIDTH, (across(parts)[last]?.x ?? 0) + (parts[last]?.width ?? 0)),
    height: Math.max(HOLLOW, ...parts.map((part) => part.height)),
  };
}

function one(step: Step, depth: number): Picture {
  const branches = branchesOf(step.type);
  // A review without steps for what was sent back is drawn like any other step.
  const plain =
    branches.length === 0 || (step.type === "human_review" && within(step, "children").length === 0);
  if (plain) {
    const size = { width: WIDTH, height: HEIGHT };
    const box = { step, x: 0, y: 0, ...size, depth, at: HERE, holds: false, labels: [] };
    return { boxes: [box], arrows: [], ...size };
  }
  const children = within(step, "children");
  const columns = branches.map((branch) => sequence(within(step, branch), depth + 1));
  const inner =
    step.type === "parallel"
      ? row(
          children.map((child) => one(child, depth + 1)),
          children,
          depth + 1,
        )
      : columnsOf(columns);
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
  const box = { step, x: 0, y: 0, width, height, depth, at: HERE, holds: true, labels };
  return { boxes: [box, ...placed.boxes], arrows: inner.arrows, width, height };
}
