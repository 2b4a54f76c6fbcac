import { queryOptions } from "@tanstack/react-query";
import { body, client, path } from "@/api/client";
import { keys } from "@/api/keys";

/** Where else a project's repository is; `null` where that is nowhere. */
export const remoteQuery = (projectId: string) =>
  queryOptions({
    queryKey: keys.remote(projectId),
    queryFn: async ({ signal }) =>
      (await body(client.GET("/api/projects/{id}/remote", { ...path(projectId), signal }))).remote ?? null,
  });

/** Puts a card's work into its project's other repository. */
export const publish = (featureId: string) =>
  body(client.POST("/api/features/{id}/publish", path(featureId)));
