import { describe, expect, it } from "vitest";
import type { Step } from "@/api/types";
import { follow, part } from "./edges";
import { layOut } from "./layout";
import { find, freshSystem, place, placeNone, walk } from "./model";

const agent = (id: string, more: Partial<Step> = {}): Step => ({ id, type: "agent", name: id, ...more });
const steps: Step[] = [
  agent("first"),
  { id: "both", type: "parallel", name: "Both", children: [agent("left"), agent("right")] },
  agent("last"),
];
const box = (list: Step[], id: string) => {
  const found = layOut(list).boxes.find((entry) => entry.step.id === id);
  if (found === undefined) throw new Error(id);
  return found;
};
const xy = ({ x, y }: { x: number; y: number }) => ({ x, y });

describe("a step that somebody put elsewhere", () => {
  it("stands there, with all that is in it, and the others where they were", () => {
    const before = layOut(steps);
    const moved = place(steps, "both", { x: 400.4, y: -30 });
    expect(find(moved, "both")?.step.position).toEqual({ x: 400, y: -30 });
    expect(xy(box(moved, "both"))).toEqual({ x: 400, y: -30 });
    const [was, is] = [box(steps, "both"), box(moved, "both")];
    expect(box(moved, "left").x - is.x).toBe(box(steps, "left").x - was.x);
    expect(box(moved, "left").y - is.y).toBe(box(steps, "left").y - was.y);
    for (const id of ["first", "last"]) expect(xy(box(moved, id))).toEqual(xy(box(steps, id)));
    expect(layOut(moved).arrows).toEqual(before.arrows);
    expect(layOut(placeNone(moved))).toEqual(before);
  });

  it("makes what holds it larger, and stands within it", () => {
    const moved = place(steps, "right", { x: 100, y: 300 });
    const [outer, inner] = [box(moved, "both"), box(moved, "right")];
    expect(inner.y + inner.height).toBeLessThanOrEqual(outer.y + outer.height);
    expect(inner.at).toEqual({ x: 100, y: 300 });
    const up = place(steps, "right", { x: -50, y: -50 });
    expect(box(up, "right").y).toBeGreaterThan(box(up, "both").y);
    expect(box(up, "right").x).toBeGreaterThan(box(up, "both").x);
  });

  it("is laid out by itself again among other steps", () => {
    const definition = { ...freshSystem("x"), workflow: place(steps, "last", { x: 9, y: 9 }) };
    const placed = (list: Step[] = []) =>
      [...walk(list)].filter(({ step }) => step.position != null).map(({ step }) => step.id);
    expect(placed(follow(definition, "left", "last").workflow)).toEqual([]);
    const first = { ...freshSystem("x"), workflow: [agent("a", { position: { x: 1, y: 2 } }), agent("b")] };
    const together = part(first, "b").workflow ?? [];
    expect(placed(together)).toEqual([together[0]?.id]);
    expect(together[0]?.position).toEqual({ x: 1, y: 2 });
  });
});
