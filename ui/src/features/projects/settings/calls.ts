import { body, client, path } from "@/api/client";
import type { PutRemote, SecretUse } from "@/api/types";

/** What a project's settings ask for beside the project itself. */
export const settingsCalls = {
  trial: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/projects/{id}/try-checks", { ...path(id), signal: signal ?? null })),
  tryChecks: (id: string, commands: string[], setUp: string[], minutes: number) =>
    body(client.POST("/api/projects/{id}/try-checks", { ...path(id), body: { commands, setUp, minutes } })),
  stopTrial: (id: string) => body(client.POST("/api/projects/{id}/try-checks/stop", path(id))),
  network: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/projects/{id}/network", { ...path(id), signal: signal ?? null })),
  allowHost: (id: string, host: string) =>
    body(client.POST("/api/projects/{id}/network/allow", { ...path(id), body: { host } })),
  dismissHost: (id: string, host: string, port: number) =>
    body(client.POST("/api/projects/{id}/network/dismiss", { ...path(id), body: { host, port } })),
  secrets: async (id: string, signal?: AbortSignal) =>
    (await body(client.GET("/api/projects/{id}/secrets", { ...path(id), signal: signal ?? null }))).items,
  putSecret: (id: string, name: string, value: string, uses: SecretUse[]) =>
    body(
      client.PUT("/api/projects/{id}/secrets/{name}", {
        params: { path: { id, name } },
        body: { value, uses },
      }),
    ),
  deleteSecret: (id: string, name: string) =>
    body(client.DELETE("/api/projects/{id}/secrets/{name}", { params: { path: { id, name } } })),
  putRemote: (id: string, remote: PutRemote) =>
    body(client.PUT("/api/projects/{id}/remote", { ...path(id), body: remote })),
  deleteRemote: (id: string) => body(client.DELETE("/api/projects/{id}/remote", path(id))),
  syncRemote: (id: string) => body(client.POST("/api/projects/{id}/remote/sync", path(id))),
  outfit: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/projects/{id}/outfit", { ...path(id), signal: signal ?? null })),
  clearCaches: (id: string) => body(client.DELETE("/api/projects/{id}/caches", path(id))),
};
