import type { Feature, FeatureCard, Run, RunEvent, RunHistoryEvent } from "@/api/types";

const AT = "2026-03-10T12:00:00Z";

/** A card for tests. */
export function card(part: Partial<FeatureCard> & { id: string }): FeatureCard {
  return {
    projectId: "p1",
    kind: "card",
    mode: "work",
    agentId: null,
    number: 1,
    title: `Card ${part.id}`,
    category: "",
    priority: 2,
    position: 1,
    status: "backlog",
    stage: null,
    model: null,
    thinkingLevel: "medium",
    planningMode: "skip",
    requirePlanApproval: false,
    skipVerification: false,
    needsApproval: false,
    budgetMicros: null,
    branch: null,
    dependencies: [],
    runId: null,
    startedBy: null,
    error: null,
    tasksDone: 0,
    tasksTotal: 0,
    filesChanged: 0,
    linesAdded: 0,
    linesRemoved: 0,
    costMicros: 0,
    mergeCommit: null,
    version: 1,
    createdBy: "m1",
    createdAt: AT,
    updatedAt: AT,
    startedAt: null,
    finishedAt: null,
    ...part,
  };
}

export function feature(part: Partial<Feature> & { id: string }): Feature {
  return { ...card(part), description: "Do it.", summary: null, executionId: null, ...part };
}

export function run(part: Partial<Run> & { id: string }): Run {
  return {
    featureId: "f1",
    projectId: "p1",
    memberId: "m1",
    status: "running",
    intent: "work",
    attempt: 1,
    auto: false,
    repairs: 0,
    returns: 0,
    model: "model",
    keySource: "simulated",
    keyProvider: "anthropic",
    keyHint: null,
    branch: "guildhall/1-card",
    baseCommit: null,
    headCommit: null,
    holds: [],
    parkedReason: null,
    parkedFor: null,
    extraMicros: 0,
    parkedUntil: null,
    turns: 0,
    usage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 },
    contextTokens: 0,
    costMicros: 0,
    plan: [],
    approval: "not_needed",
    error: null,
    createdAt: AT,
    startedAt: AT,
    endedAt: null,
    ...part,
  };
}

export function runEvent(seq: number, event: RunEvent, runId = "r1"): RunHistoryEvent {
  return { type: "run.event", seq, at: AT, runId, featureId: "f1", event };
}
