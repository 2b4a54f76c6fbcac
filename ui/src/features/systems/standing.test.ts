import { QueryClient } from "@tanstack/react-query";
import { describe, expect, it } from "vitest";
import { keys } from "@/api/keys";
import type { ExecutionTask, ExecutionView, StepView } from "@/api/types";
import { applyEvents } from "@/live/apply";
import { run } from "@/test/samples";
import { standingOf } from "./api";

const at = "2026-03-10T12:00:00Z";
const task = (part: Partial<ExecutionTask>): ExecutionTask => ({
  stepKey: "work",
  attempt: 1,
  featureId: "f1",
  runId: null,
  status: null,
  parkedUntil: null,
  parkedReason: null,
  parkedFor: null,
  tokens: 0,
  costMicros: 0,
  ...part,
});
const step = (part: Partial<StepView>): StepView => ({
  key: "work",
  stepId: "work",
  kind: "agent",
  status: "running",
  attempt: 1,
  rounds: 0,
  deadline: null,
  retryAt: null,
  startedAt: at,
  endedAt: null,
  tokens: 0,
  costMicros: 0,
  tasks: [],
  ...part,
});

describe("how a step stands", () => {
  it("tells an agent that waits from one that works", () => {
    expect(standingOf(undefined)).toBe("none");
    expect(standingOf(step({}))).toBe("queued");
    expect(standingOf(step({ tasks: [task({ status: "queued" })] }))).toBe("queued");
    expect(standingOf(step({ tasks: [task({ status: "running" })] }))).toBe("running");
    // Of an earlier try nothing follows.
    expect(standingOf(step({ attempt: 2, tasks: [task({ status: "failed" })] }))).toBe("queued");
    expect(standingOf(step({ status: "completed", tasks: [task({ status: "waiting" })] }))).toBe("completed");
    expect(standingOf(step({ kind: "loop" }))).toBe("running");
  });

  it("follows the runs of its agents without asking again", () => {
    const client = new QueryClient();
    const view = { id: "e1", steps: [step({ tasks: [task({})] })] } as unknown as ExecutionView;
    client.setQueryData(keys.execution("e1"), view);
    const told = (part: Parameters<typeof run>[0]) => {
      applyEvents(client, [{ type: "run.updated", seq: 2, at, run: run(part) }]);
      return client.getQueryData<ExecutionView>(keys.execution("e1"))?.steps[0];
    };
    expect(standingOf(told({ id: "r1", featureId: "f1", status: "running" }))).toBe("running");
    const waits = told({
      id: "r1",
      featureId: "f1",
      status: "queued",
      parkedReason: "Its provider has enough.",
    });
    expect(standingOf(waits)).toBe("queued");
    expect(waits?.tasks[0]?.parkedReason).toBe("Its provider has enough.");
    expect(told({ id: "r2", featureId: "other", status: "running" })).toBe(waits);
  });
});
