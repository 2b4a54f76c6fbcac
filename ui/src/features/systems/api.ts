import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { body, client, path } from "@/api/client";
import { keys } from "@/api/keys";
import type { Execution, StepView, SystemDefinition, SystemStatus } from "@/api/types";
import type { Standing } from "./strings";

/** What the pages of systems ask of the server; apart from the rest, because no other view needs it. */
export const systemsApi = {
  create: (definition: SystemDefinition) =>
    body(client.POST("/api/systems", { body: { definition, status: "draft" } })),
  change: (id: string, version: number, status: SystemStatus, definition: SystemDefinition) =>
    body(client.PUT("/api/systems/{id}", { ...path(id), body: { version, status, definition } })),
  remove: (id: string) => body(client.DELETE("/api/systems/{id}", path(id))),
  duplicate: (id: string) => body(client.POST("/api/systems/{id}/duplicate", path(id))),
  run: (id: string, projectId: string, input: Record<string, unknown>) =>
    body(client.POST("/api/systems/{id}/run", { ...path(id), body: { projectId, input } })),
  cancel: (id: string) => body(client.POST("/api/executions/{id}/cancel", path(id))),
  /** `rounds` says which time of a step it is that was looked at. */
  review: (id: string, step: string, rounds: number, approved: boolean, text: string) =>
    body(
      client.POST("/api/executions/{id}/steps/{step}/review", {
        params: { path: { id, step } },
        body: { approved, rounds, text },
      }),
    ),
};

export const systemQueries = {
  systems: () =>
    queryOptions({
      queryKey: keys.systems,
      queryFn: async ({ signal }) =>
        (await body(client.GET("/api/systems", { params: { query: { limit: 500 } }, signal }))).items,
    }),
  system: (id: string) =>
    queryOptions({
      queryKey: keys.system(id),
      queryFn: ({ signal }) => body(client.GET("/api/systems/{id}", { ...path(id), signal })),
    }),
  /** The agents of the library that can be used. */
  agents: () =>
    queryOptions({
      queryKey: ["agents", "of-systems"],
      queryFn: async ({ signal }) =>
        (
          await body(
            client.GET("/api/agents", { params: { query: { status: "active", limit: 500 } }, signal }),
          )
        ).items,
      staleTime: 30_000,
    }),
  problems: (definition: SystemDefinition) =>
    queryOptions({
      queryKey: ["system-problems", definition],
      queryFn: async ({ signal }) =>
        (await body(client.POST("/api/systems/validate", { body: definition, signal }))).problems,
      staleTime: Number.POSITIVE_INFINITY,
      gcTime: 60_000,
      placeholderData: (before) => before,
    }),
  executions: (of: { system?: string; project?: string } = {}) =>
    infiniteQueryOptions({
      queryKey: [...keys.executions, of],
      queryFn: ({ pageParam, signal }) =>
        body(
          client.GET("/api/executions", {
            params: {
              query: { ...of, limit: 30, ...(pageParam === undefined ? {} : { before: pageParam }) },
            },
            signal,
          }),
        ),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
    }),
  execution: (id: string) =>
    queryOptions({
      queryKey: keys.execution(id),
      queryFn: ({ signal }) => body(client.GET("/api/executions/{id}", { ...path(id), signal })),
      // Tokens and cost grow between the events of its steps.
      refetchInterval: ({ state }) => (state.data && !isOver(state.data) ? 10_000 : false),
    }),
  /** What a step was given and gave, as of its present time: read when somebody looks at it. */
  step: (id: string, { key, status, attempt, rounds }: StepView) =>
    queryOptions({
      queryKey: keys.executionStep(id, key, `${status} ${attempt} ${rounds}`),
      queryFn: ({ signal }) =>
        body(
          client.GET("/api/executions/{id}/steps/{step}", { params: { path: { id, step: key } }, signal }),
        ),
      staleTime: Number.POSITIVE_INFINITY,
    }),
};

/** The task of the try that is under way, if there is one. */
export const taskOf = (step: StepView) => step.tasks.findLast((task) => task.attempt === step.attempt);

/** How a step stands, as it is shown: an agent that waits for something does not work. */
export function standingOf(step: StepView | undefined): Standing {
  if (step === undefined) return "none";
  const status = taskOf(step)?.status ?? "queued";
  return step.kind === "agent" && step.status === "running" && status === "queued" ? "queued" : step.status;
}

/** Whether nothing will happen any more. */
export const isOver = ({ status }: Pick<Execution, "status">) =>
  status === "completed" || status === "failed" || status === "cancelled";
