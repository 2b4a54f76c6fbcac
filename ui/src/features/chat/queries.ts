import { infiniteQueryOptions, useIsMutating, useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client, path } from "@/api/client";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { ChatDraft, Feature, Run, WorkMode } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { putFeature, putRun } from "@/live/apply";
import { broughtSince, rememberThing } from "@/live/recent";
import { dropFiles, encoded } from "./files";

/** What is asked of the server about chats. */
export const chatCalls = {
  list: (projectId: string, mine: boolean, after: string | undefined, signal?: AbortSignal) =>
    body(
      client.GET("/api/projects/{id}/chats", {
        params: {
          path: { id: projectId },
          query: { limit: 50, ...(mine ? { mine } : {}), ...(after === undefined ? {} : { after }) },
        },
        signal: signal ?? null,
      }),
    ),
  start: (projectId: string, chat: ChatDraft) =>
    body(client.POST("/api/projects/{id}/chats", { ...path(projectId), body: chat })),
  say: async (id: string, message: string, files: readonly File[], mode?: WorkMode) =>
    body(
      client.POST("/api/chats/{id}/messages", {
        ...path(id),
        body: { message, files: await encoded(files), ...(mode === undefined ? {} : { mode }) },
      }),
    ),
  stop: (id: string) => body(client.POST("/api/chats/{id}/stop", path(id))),
  rename: (id: string, title: string) =>
    body(client.PATCH("/api/chats/{id}", { ...path(id), body: { title } })),
  remove: (id: string) => body(client.DELETE("/api/chats/{id}", path(id))),
  toCard: (id: string, title?: string) =>
    body(client.POST("/api/chats/{id}/to-card", { ...path(id), body: title === undefined ? {} : { title } })),
};

export const chatQueries = {
  // The socket says when something happened in one.
  list: (projectId: string, mine: boolean) =>
    infiniteQueryOptions({
      queryKey: [...keys.chats(projectId), mine],
      queryFn: ({ pageParam, signal }) => chatCalls.list(projectId, mine, pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      staleTime: Number.POSITIVE_INFINITY,
    }),
};

type Moved = { feature: Feature; run: Run };

/** What is done when it is done, whatever is shown by then. */
interface Settled<T> {
  mutationKey?: readonly unknown[];
  onSuccess?: (feature: Feature, wish: T) => void;
}

/** A deed on a chat: what it answers is put where the page shows it; a refusal is told. */
export function useChatDeed<T>(deed: (wish: T) => Promise<Moved>, options: Settled<T> = {}) {
  const client = useQueryClient();
  return useMutation({
    ...options,
    mutationFn: async (wish: T): Promise<Feature> => {
      const began = performance.now();
      const { feature, run } = await deed(wish);
      rememberThing("feature", feature.id, feature);
      if (client.getQueryData(keys.feature(feature.id)) === undefined)
        client.setQueryData(keys.feature(feature.id), feature);
      putFeature(client, feature);
      if (broughtSince("run", run.id, began) === undefined) putRun(client, run);
      return feature;
    },
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
}

/** A message as it is sent: of a chat, or of the new one of a project. */
interface Sent {
  /** Whose words and files these are. */
  from: string;
  text: string;
  files: readonly File[];
}

/**
 * Sends what waits to be said. It waits no more once it is sent, whatever is shown by then; what was typed meanwhile stays. Only one is
 * under way, wherever it was sent from.
 */
export function useSending<T extends Sent>(
  from: string,
  deed: (wish: T) => Promise<Moved>,
  write: (from: string, change: (text: string) => string) => void,
) {
  const mutationKey = ["chat", "say", from];
  const busy = useIsMutating({ mutationKey }) > 0;
  const { mutate } = useChatDeed(deed, {
    mutationKey,
    onSuccess: (_, wish) => {
      write(wish.from, (now) => (now === wish.text ? "" : now));
      dropFiles(wish.from, wish.files);
    },
  });
  return { mutate, busy };
}
