import { describe, expect, it } from "vitest";
import { planWaits } from "@/features/actions";
import { card } from "@/test/samples";
import { firstTab } from "../place";
import { linesOfTasks, tasksOfLines } from "./decide";

describe("tasks as lines", () => {
  it("come back as they went", () => {
    const tasks = [{ title: "Write it" }, { title: "1.2 Test it" }];
    expect(tasksOfLines(linesOfTasks(tasks))).toEqual(tasks);
  });

  it("lose the marks of a list and lines that say nothing", () => {
    expect(tasksOfLines("- one\n\n  * two \n3. three\n4) four\n-five")).toEqual(
      ["one", "two", "three", "four", "-five"].map((title) => ({ title })),
    );
  });
});

describe("a plan that waits", () => {
  it("is known by the card's stage, and shown first", () => {
    const waits = card({ id: "a", status: "in_progress", stage: "plan_approval" });
    expect(planWaits(waits)).toBe(true);
    expect(planWaits(card({ id: "a", status: "in_progress", stage: "planning" }))).toBe(false);
    expect(firstTab(waits)).toBe("plan");
    expect(firstTab(card({ id: "a", status: "in_progress" }))).toBe("live");
  });
});
