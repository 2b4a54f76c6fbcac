import { infiniteQueryOptions, queryOptions, useQuery } from "@tanstack/react-query";
import { all, body, client, path } from "@/api/client";
import { keys } from "@/api/keys";
import type { Agent, AgentDraft, AgentPatch, WorkMode } from "@/api/types";

/** What is asked of the server about agents. */
export const agentCalls = {
  list: (signal?: AbortSignal) =>
    all<Agent>((after) =>
      body(
        client.GET("/api/agents", {
          params: { query: after === undefined ? { limit: 500 } : { limit: 500, after } },
          signal: signal ?? null,
        }),
      ),
    ),
  tools: async () => (await body(client.GET("/api/agents/tools"))).items,
  create: (agent: AgentDraft) => body(client.POST("/api/agents", { body: agent })),
  update: (id: string, change: AgentPatch) =>
    body(client.PATCH("/api/agents/{id}", { ...path(id), body: change })),
  activate: (id: string) => body(client.POST("/api/agents/{id}/activate", path(id))),
  archive: (id: string) => body(client.POST("/api/agents/{id}/archive", path(id))),
  duplicate: (id: string) => body(client.POST("/api/agents/{id}/duplicate", path(id))),
  remove: (id: string) => body(client.DELETE("/api/agents/{id}", path(id))),
  run: (id: string, wish: { projectId: string; prompt: string; mode: WorkMode }) =>
    body(client.POST("/api/agents/{id}/run", { ...path(id), body: wish })),
  toCard: (task: string) => body(client.POST("/api/tasks/{id}/to-card", { ...path(task), body: {} })),
};

export const agentQueries = {
  // The socket says when one changed.
  all: () =>
    queryOptions({
      queryKey: keys.agents,
      queryFn: async ({ signal }) =>
        (await agentCalls.list(signal)).sort((a, b) => a.name.localeCompare(b.name)),
      staleTime: Number.POSITIVE_INFINITY,
    }),
  tasks: (id: string) =>
    infiniteQueryOptions({
      queryKey: keys.tasks(id),
      queryFn: ({ pageParam, signal }) =>
        body(
          client.GET("/api/agents/{id}/tasks", {
            params: {
              path: { id },
              query: pageParam === undefined ? { limit: 10 } : { limit: 10, after: pageParam },
            },
            signal,
          }),
        ),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
    }),
  tools: () =>
    queryOptions({
      queryKey: ["agent-tools"],
      queryFn: agentCalls.tools,
      staleTime: Number.POSITIVE_INFINITY,
    }),
};

/** The agents that the member sees, by name. */
export const useAgents = () => useQuery(agentQueries.all());

/** One of them; nothing while none is asked for or it is not there. */
export function useAgent(id: string | null | undefined): Agent | undefined {
  const agents = useQuery({ ...agentQueries.all(), enabled: Boolean(id) }).data;
  return agents?.find((agent) => agent.id === id);
}
