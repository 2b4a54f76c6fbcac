import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";
import type { RunEvent } from "@/api/types";
import { noteDoing, useDoing } from "./doing";

const started = (call: string, command: string): RunEvent => ({
  kind: "tool_started",
  turn: 1,
  call,
  tool: "bash",
  input: { command },
});
const finished = (call: string): RunEvent => ({
  kind: "tool_finished",
  turn: 1,
  call,
  tool: "bash",
  output: "",
  isError: false,
  durationMs: 1,
});

test("a run does what it began last, until that is over", () => {
  const { result } = renderHook(() => useDoing("run"));
  expect(result.current).toBeUndefined();
  act(() => noteDoing("run", started("a", "ls")));
  act(() => noteDoing("other", started("x", "rm")));
  act(() => noteDoing("run", started("b", "make test")));
  expect(result.current?.input).toEqual({ command: "make test" });
  act(() => noteDoing("run", finished("a")));
  expect(result.current?.call).toBe("b");
  act(() => noteDoing("run", finished("b")));
  expect(result.current).toBeUndefined();
  act(() => noteDoing("run", started("c", "ls")));
  act(() => noteDoing("run", { kind: "ended", status: "waiting", problem: null }));
  expect(result.current).toBeUndefined();
});
