import { describe, expect, it } from "vitest";
import type { Step, SystemDefinition } from "@/api/types";
import { canFollow, follow, part, stepBefore } from "./edges";

const agent = (id: string): Step => ({ id, type: "agent", name: id });
const group = (id: string, type: "parallel" | "sequential", ...children: Step[]): Step => ({
  id,
  type,
  name: id,
  children,
});
const system = (...workflow: Step[]): SystemDefinition => ({ name: "s", workflow }) as SystemDefinition;
const shape = (steps: readonly Step[] = []): string =>
  steps.map((step) => (step.children ? `${step.id}(${shape(step.children)})` : step.id)).join(" ");
const of = (definition: SystemDefinition) => shape(definition.workflow);

describe("an arrow", () => {
  const three = system(agent("a"), agent("b"), agent("c"));

  it("puts a step straight after another, with what followed after it", () => {
    expect(of(follow(three, "a", "c"))).toBe("a c b");
    expect(of(follow(three, "c", "a"))).toBe("b c a");
    const nested = system(agent("a"), group("both", "parallel", agent("x"), agent("y")), agent("c"));
    expect(of(follow(nested, "a", "y"))).toBe("a y both(x) c");
    expect(of(follow(nested, "c", "both"))).toBe("a c both(x y)");
  });

  it("makes a sequence among steps at the same time", () => {
    const both = system(group("both", "parallel", agent("x"), agent("y"), agent("z")));
    expect(of(follow(both, "x", "z"))).toBe("both(sequence(x z) y)");
  });

  it("cannot lead into a step's own inside, out of it, or where one leads already", () => {
    const nested = system(group("all", "sequential", agent("x"), agent("y")), agent("c"));
    const steps = nested.workflow ?? [];
    expect(canFollow(steps, "all", "x")).toBe(false);
    expect(canFollow(steps, "x", "all")).toBe(false);
    expect(canFollow(steps, "x", "x")).toBe(false);
    expect(canFollow(steps, "x", "y")).toBe(false);
    expect(canFollow(steps, "c", "x")).toBe(true);
    expect(follow(nested, "all", "x")).toBe(nested);
    expect(follow(nested, "nobody", "x")).toBe(nested);
  });

  it("is taken away: both happen at the same time, and what followed waits for both", () => {
    expect(of(part(three, "b"))).toBe("together(a b) c");
    expect(of(part(part(three, "b"), "c"))).toBe("together(a b c)");
    expect(part(three, "a")).toBe(three);
    const both = system(group("both", "parallel", agent("x"), agent("y")));
    expect(part(both, "y")).toBe(both);
    expect(stepBefore(three.workflow ?? [], "c")?.id).toBe("b");
    expect(stepBefore(both.workflow ?? [], "y")).toBeUndefined();
  });
});
