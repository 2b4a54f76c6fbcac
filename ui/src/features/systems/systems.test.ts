import { describe, expect, it } from "vitest";
import type { Step, SystemDefinition } from "@/api/types";
import { layOut } from "./layout";
import { find, freeId, freshSystem, insert, move, newStep, remove, renameStep, update, walk } from "./model";

const agent = (id: string, more: Partial<Step> = {}): Step => ({ id, type: "agent", name: id, ...more });
const steps: Step[] = [
  agent("first"),
  {
    id: "both",
    type: "parallel",
    name: "Both",
    children: [agent("left"), { id: "rounds", type: "loop", name: "Rounds", children: [agent("deep")] }],
  },
  { id: "if", type: "conditional", name: "If", trueBranch: [agent("yes")], falseBranch: [] },
];
const ids = (list: Step[]) => [...walk(list)].map(({ step }) => step.id);

describe("the steps of a system", () => {
  it("are found, put in, moved and taken out wherever they stand", () => {
    expect(ids(steps)).toEqual(["first", "both", "left", "rounds", "deep", "if", "yes"]);
    expect(find(steps, "deep")).toMatchObject({ parent: "rounds", branch: "children", at: 0, depth: 2 });
    const more = insert(steps, { parent: "if", branch: "falseBranch", at: 0 }, agent("no"));
    expect(find(more, "no")).toMatchObject({ parent: "if", branch: "falseBranch" });
    expect(ids(move(steps, "if", -1))).toEqual(["first", "if", "yes", "both", "left", "rounds", "deep"]);
    expect(move(steps, "if", 1)).toEqual(steps);
    expect(ids(remove(steps, "rounds"))).toEqual(["first", "both", "left", "if", "yes"]);
    expect(
      find(
        update(steps, "deep", (step) => ({ ...step, name: "Deeper" })),
        "deep",
      )?.step.name,
    ).toBe("Deeper");
    // What was there is as it was.
    expect(ids(steps)).toHaveLength(7);
  });

  it("get ids of their own, and keep what names them when they get another", () => {
    expect(freeId(steps, "first")).toBe("first-2");
    const definition: SystemDefinition = {
      ...freshSystem("x"),
      workflow: [agent("a"), agent("b", { inputTemplate: "{{steps.a.output}} {{steps.ab.output}} steps.a" })],
    };
    const renamed = renameStep(definition, "a", "begin").workflow ?? [];
    expect(renamed[0]?.id).toBe("begin");
    expect(renamed[1]?.inputTemplate).toBe("{{steps.begin.output}} {{steps.ab.output}} steps.a");
    for (const kind of ["agent", "loop", "transform", "conditional"] as const)
      expect(newStep(kind, definition).type).toBe(kind);
  });
});

describe("the picture of a system", () => {
  it("draws steps within others inside them, and nothing over anything else", () => {
    const { boxes, arrows, width, height } = layOut(steps);
    expect(boxes).toHaveLength(7);
    expect(arrows).toEqual([
      { from: "first", to: "both" },
      { from: "both", to: "if" },
    ]);
    const box = (id: string) => boxes.find((entry) => entry.step.id === id);
    const inside = (inner: string, outer: string) => {
      const [a, b] = [box(inner), box(outer)];
      if (a === undefined || b === undefined) return false;
      return a.x >= b.x && a.y >= b.y && a.x + a.width <= b.x + b.width && a.y + a.height <= b.y + b.height;
    };
    expect(inside("deep", "rounds") && inside("rounds", "both") && inside("yes", "if")).toBe(true);
    const level = boxes.filter((entry) => ["left", "rounds"].includes(entry.step.id));
    const [one, other] = level.sort((a, b) => a.x - b.x);
    expect((one?.x ?? 0) + (one?.width ?? 0)).toBeLessThanOrEqual(other?.x ?? 0);
    expect(Math.max(...boxes.map((entry) => entry.x + entry.width))).toBeLessThanOrEqual(width);
    expect(Math.max(...boxes.map((entry) => entry.y + entry.height))).toBeLessThanOrEqual(height);
  });
});
