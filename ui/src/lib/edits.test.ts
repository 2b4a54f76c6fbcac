import { act, renderHook } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { useEdits } from "./edits";

const first = { name: "Demo", instructions: "", turns: "200" };

describe("a form over what holds", () => {
  it("sends what was edited here, and shows what somebody else set meanwhile", () => {
    const { result, rerender } = renderHook(({ now }) => useEdits(now), { initialProps: { now: first } });
    act(() => result.current.set({ name: "Shop" }));
    rerender({ now: { ...first, instructions: "Be brief." } });
    expect(result.current.draft).toEqual({ name: "Shop", instructions: "Be brief.", turns: "200" });
    expect(result.current.changes).toEqual({ name: "Shop" });
    expect(result.current.clashes).toEqual([]);
  });

  it("has nothing to save once a field is as it was", () => {
    const { result } = renderHook(() => useEdits(first));
    act(() => result.current.set({ turns: "333" }));
    expect(result.current.changed).toBe(true);
    act(() => result.current.set({ turns: "200" }));
    expect(result.current.changed).toBe(false);
  });

  it("tells of a field that both changed, and can take theirs", () => {
    const { result, rerender } = renderHook(({ now }) => useEdits(now), { initialProps: { now: first } });
    act(() => result.current.set({ turns: "300" }));
    rerender({ now: { ...first, turns: "333" } });
    expect(result.current.clashes).toEqual(["turns"]);
    act(() => result.current.drop(result.current.clashes));
    expect(result.current.draft.turns).toBe("333");
    expect(result.current.changed).toBe(false);
  });

  it("keeps what is typed while it is being saved", () => {
    const { result, rerender } = renderHook(({ now }) => useEdits(now), { initialProps: { now: first } });
    act(() => result.current.set({ name: "Shop", turns: "3" }));
    const sent = result.current.changes;
    act(() => result.current.set({ turns: "33" }));
    act(() => result.current.saved(sent));
    rerender({ now: { ...first, name: "Shop", turns: "3" } });
    expect(result.current.changes).toEqual({ turns: "33" });
  });
});
