import type { RunEvent } from "@/api/types";
import { createStore } from "@/lib/store";

/** The tool call that a run makes at the moment, as far as the socket has told since the page was opened. */
export interface Doing {
  call: string;
  tool: string;
  input: unknown;
}

const doing = createStore<ReadonlyMap<string, Doing>>(new Map());

/** Keeps what a run does now. */
export function noteDoing(runId: string, event: RunEvent) {
  if (event.kind === "tool_started") {
    const { call, tool, input } = event;
    doing.set((all) => new Map(all).set(runId, { call, tool, input }));
    return;
  }
  const over =
    event.kind === "ended" ||
    event.kind === "waiting" ||
    (event.kind === "tool_finished" && doing.get().get(runId)?.call === event.call);
  if (!over || !doing.get().has(runId)) return;
  doing.set((all) => {
    const rest = new Map(all);
    rest.delete(runId);
    return rest;
  });
}

/** What a run does now. */
export const useDoing = (runId: string | null) =>
  doing.usePart((all) => (runId === null ? undefined : all.get(runId)));
