import { queryOptions } from "@tanstack/react-query";
import { all, body, client, path } from "@/api/client";
import { keys } from "@/api/keys";
import type * as Schema from "@/api/schema";

export type McpServer = Schema.McpServer;
export type McpServerLine = Schema.McpServerLine;
export type McpTool = Schema.McpTool;
export type McpToolLine = Schema.McpToolLine;
export type McpProposal = Schema.McpProposal;
export type McpShape = Schema.McpShape;
export type McpStanding = Schema.McpStanding;
export type McpServerDraft = Schema.CreateMcpServer;
export type McpServerChange = Schema.ChangeMcpServer;

const listed = (query: { team?: boolean }, signal: AbortSignal | undefined) =>
  all<McpServerLine>((after) =>
    body(
      client.GET("/api/mcp-servers", {
        params: { query: after === undefined ? query : { ...query, after } },
        signal: signal ?? null,
      }),
    ),
  );

/** What is asked of the server about MCP servers. */
export const mcpCalls = {
  /** The team's and those of all projects. */
  all: (signal?: AbortSignal) => listed({}, signal),
  /** Those that are the whole team's, by name. */
  team: async (signal?: AbortSignal) =>
    (await listed({ team: true }, signal)).sort((a, b) => a.name.localeCompare(b.name)),
  /** With all that it says of its tools. */
  one: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/mcp-servers/{id}", { ...path(id), signal: signal ?? null })),
  of: async (projectId: string, signal?: AbortSignal) =>
    (await body(client.GET("/api/projects/{id}/mcp-servers", { ...path(projectId), signal: signal ?? null })))
      .items,
  proposals: async (projectId: string, signal?: AbortSignal) =>
    (
      await body(
        client.GET("/api/projects/{id}/mcp-proposals", { ...path(projectId), signal: signal ?? null }),
      )
    ).items,
  /** Adds one to a project, or to the whole team where none is named. */
  create: (projectId: string | null, draft: McpServerDraft) =>
    projectId === null
      ? body(client.POST("/api/mcp-servers", { body: draft }))
      : body(client.POST("/api/projects/{id}/mcp-servers", { ...path(projectId), body: draft })),
  change: (id: string, change: McpServerChange) =>
    body(client.PATCH("/api/mcp-servers/{id}", { ...path(id), body: change })),
  remove: (id: string) => body(client.DELETE("/api/mcp-servers/{id}", path(id))),
  /** A program of the whole team's is tried in a project's sandbox. */
  test: (id: string, projectId?: string) =>
    body(
      client.POST("/api/mcp-servers/{id}/test", {
        params: { path: { id }, query: projectId === undefined ? {} : { projectId } },
      }),
    ),
  approve: (id: string, tools: { name: string; hash: string }[]) =>
    body(client.POST("/api/mcp-servers/{id}/approve-tools", { ...path(id), body: { tools } })),
  choose: (id: string, tools: { name: string; enabled: boolean }[]) =>
    body(client.POST("/api/mcp-servers/{id}/choose-tools", { ...path(id), body: { tools } })),
};

export const mcpQueries = {
  // The socket says when one changed.
  of: (projectId: string) =>
    queryOptions({
      queryKey: keys.mcpServersOf(projectId),
      queryFn: ({ signal }) => mcpCalls.of(projectId, signal),
      staleTime: Number.POSITIVE_INFINITY,
    }),
  team: () =>
    queryOptions({
      queryKey: keys.mcpServersOf("team"),
      queryFn: ({ signal }) => mcpCalls.team(signal),
      staleTime: Number.POSITIVE_INFINITY,
    }),
  one: (id: string) =>
    queryOptions({
      queryKey: keys.mcpServer(id),
      queryFn: ({ signal }) => mcpCalls.one(id, signal),
      staleTime: Number.POSITIVE_INFINITY,
    }),
  proposals: (projectId: string) =>
    queryOptions({
      queryKey: [...keys.mcpServersOf(projectId), "proposals"],
      queryFn: ({ signal }) => mcpCalls.proposals(projectId, signal),
    }),
  all: () =>
    queryOptions({
      queryKey: keys.mcpServersOf("all"),
      queryFn: ({ signal }) => mcpCalls.all(signal),
      staleTime: Number.POSITIVE_INFINITY,
    }),
};
