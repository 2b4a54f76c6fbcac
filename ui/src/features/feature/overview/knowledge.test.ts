import { describe, expect, it } from "vitest";
import type { RunKnowledge } from "@/api/types";
import { joined } from "./Knowledge";

const item = (itemId: string, way: RunKnowledge["way"]): RunKnowledge => ({
  kind: "learning",
  itemId,
  version: 1,
  title: itemId,
  way,
  at: "2026-03-10T12:00:00Z",
});

describe("what a run had of the hub", () => {
  it("shows each item once, with every way by which the run came by it", () => {
    const list = joined([
      item("a", "instructions"),
      item("b", "offered"),
      item("b", "read"),
      item("c", "read"),
    ]);
    expect(list.map(({ item, ways }) => [item.itemId, ways])).toEqual([
      ["a", ["instructions"]],
      ["b", ["offered", "read"]],
      ["c", ["read"]],
    ]);
  });
});
