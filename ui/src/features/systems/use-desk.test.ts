import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";
import { freshSystem } from "./model";
import { placeOf, useDesk } from "./use-desk";

const definition = freshSystem("x");
const work = { id: "work", type: "agent", name: "Work", outputFormat: "json" } as const;
const of = (...ids: string[]) => ({ ...definition, workflow: ids.map((id) => ({ ...work, id })) });

function desk() {
  const { result, rerender } = renderHook(({ now }) => useDesk(now), { initialProps: { now: of("work") } });
  const typed = (id: string) => result.current.desk.unfinished[placeOf("form", id)]?.text;
  return { result, go: (...ids: string[]) => rerender({ now: of(...ids) }), typed };
}

test("a new step does not begin with what was typed of a former one of its id", () => {
  const { result, go, typed } = desk();
  act(() => result.current.desk.tell(placeOf("form", "work"), "{"));
  go();
  expect(result.current.count).toBe(0);
  // Who takes the deletion back has it as it was.
  go("work");
  expect(typed("work")).toBe("{");
  go();
  act(() => result.current.begin("work"));
  go("work");
  expect(typed("work")).toBeUndefined();
  expect(result.current.count).toBe(0);
});

test("what was typed of a step is at the id that it has, also when that is taken back", () => {
  const { result, go, typed } = desk();
  act(() => result.current.desk.tell(placeOf("form", "work"), "{"));
  act(() => result.current.rename("work", "job"));
  go("job");
  expect([typed("job"), result.current.count]).toEqual(["{", 1]);
  act(() => result.current.desk.tell(placeOf("form", "job"), "{}}"));
  go("work");
  expect([typed("work"), result.current.count]).toEqual(["{}}", 1]);
  act(() => result.current.desk.tell(placeOf("form", "work"), null));
  go("job");
  expect([typed("job"), result.current.count]).toEqual([undefined, 0]);
});

test("a step that takes the id of one that is gone does not take what was typed of that", () => {
  const { result, go, typed } = desk();
  act(() => result.current.desk.tell(placeOf("form", "work"), "{"));
  go("other");
  act(() => result.current.rename("other", "work"));
  go("work");
  expect(typed("work")).toBeUndefined();
});
