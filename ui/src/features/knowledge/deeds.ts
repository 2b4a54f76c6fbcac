import { type InfiniteData, useMutation } from "@tanstack/react-query";
import { type ApiError, asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queryClient } from "@/app/query-client";
import { toast } from "@/components/ui/toast";
import { t } from "@/strings";
import { hub, type Page } from "./calls";
import { type Draft, titleOf } from "./draft";
import { hubKeys } from "./keys";
import { words } from "./strings";
import type { Item, Kind, Known, Learning, Outcome } from "./types";

/** Puts an item as it is now in place of what the page knows; an older answer never replaces a newer one. */
function put(item: Item): Item {
  queryClient.setQueryData<Known>(hubKeys.item(item.id), (old) =>
    old === undefined || old.item.version > item.version ? old : { ...old, item },
  );
  // What it is related to may be other now.
  void queryClient.invalidateQueries({ queryKey: hubKeys.item(item.id) });
  void queryClient.invalidateQueries({ queryKey: hubKeys.lists });
  return item;
}

/** The item as somebody else saved it meanwhile, if that is why a change was refused. */
export function conflictOf(error: ApiError): Item | null {
  const { item } = error.extras;
  return error.code === "item-changed" && item !== null && typeof item === "object" ? (item as Item) : null;
}

/** Saves what was written: a new item (`id` absent), or a change of the version that it was made of. */
export async function saveItem({
  kind,
  id,
  draft,
  version,
  why,
  anyway,
  beginning,
}: {
  kind: Kind;
  id: string | null;
  draft: Draft;
  version: number;
  why: string;
  /** Although much the same is there. */
  anyway: boolean;
  beginning: { runId?: string };
}): Promise<Item> {
  if (id !== null) return put(await hub.update(kind, id, draft, version, why));
  return put(
    beginning.runId === undefined
      ? await hub.create(kind, draft, anyway)
      : await hub.promote(beginning.runId, kind, draft, anyway),
  );
}

const failed = (cause: unknown) => toast.error(undefined, asApiError(cause));

/** Deletes an item; it can be taken back at once, or later. */
export function useDelete() {
  const restore = useRestoreQuietly();
  return useMutation({
    mutationFn: (item: Item) => hub.remove(item.kind, item.id),
    onSuccess: (_, item) => {
      void queryClient.invalidateQueries({ queryKey: hubKeys.lists });
      void queryClient.invalidateQueries({ queryKey: hubKeys.item(item.id) });
      toast.done(words.item.deleted(titleOf(item)), undefined, {
        label: t.common.undo,
        onClick: () => restore.mutate(item),
      });
    },
    onError: failed,
  });
}

function useRestoreQuietly() {
  return useMutation({
    mutationFn: async (item: Item) => put(await hub.restore(item.kind, item.id)),
    onSuccess: (item) => toast.done(words.item.restored, titleOf(item)),
    onError: failed,
  });
}

/** Takes a deleted item back, or the text of a former version: that only while the item is as the member sees it. */
export function useRestore(kind: Kind) {
  return useMutation({
    mutationFn: async ({ item, version }: { item: Item; version?: number }) =>
      put(
        await hub.restore(
          kind,
          item.id,
          version === undefined ? undefined : { version, current: item.version },
        ),
      ),
    onSuccess: (_, { version }) =>
      toast.done(version === undefined ? words.item.restored : words.history.restored(version)),
    onError: (cause) => {
      const error = asApiError(cause);
      const current = conflictOf(error);
      if (current !== null) put(current);
      toast.error(current === null ? undefined : words.history.changedMeanwhile, error);
    },
  });
}

/** Erases an item, or one former text of it, for good. */
export function useErase() {
  return useMutation({
    mutationFn: ({ item, version }: { item: Item; version?: number }) =>
      hub.erase(item.kind, item.id, version === undefined ? undefined : [version]),
    onSuccess: (_, { item, version }) => {
      // What is open reads anew; what was only kept is forgotten.
      void queryClient.resetQueries({ queryKey: hubKeys.versionsOf(item.id) });
      if (version !== undefined) void queryClient.invalidateQueries({ queryKey: hubKeys.item(item.id) });
      void queryClient.invalidateQueries({ queryKey: hubKeys.lists });
      toast.done(version === undefined ? words.erase.done : words.erase.doneVersion(version));
    },
    onError: failed,
  });
}

/** Takes what was decided out of the queue at once. */
function decided(item: Item) {
  put(item);
  queryClient.setQueryData<InfiniteData<Page<Learning>>>(
    hubKeys.queue,
    (list) =>
      list && {
        ...list,
        pages: list.pages.map((page) => ({
          ...page,
          items: page.items.filter((other) => other.id !== item.id),
        })),
      },
  );
}

export function useVerify() {
  return useMutation({
    mutationFn: (item: Learning) => hub.verify(item.id, item.version, null),
    onSuccess: decided,
    onError: failed,
  });
}

export function useReject() {
  return useMutation({
    mutationFn: ({ item, reason }: { item: Learning; reason: string }) =>
      hub.reject(item.id, item.version, reason),
    onSuccess: decided,
    onError: (cause) => {
      if (asApiError(cause).field("reason") === undefined) failed(cause);
    },
  });
}

/** Saves what was put right in a learning (nothing, if it is absent), and verifies it. */
export async function correctLearning(id: string, version: number, draft: Draft | null) {
  decided(await hub.verify(id, version, draft));
}

/** Tells whether a learning helped the member. */
export function useApply() {
  return useMutation({
    mutationFn: ({ item, outcome }: { item: Learning; outcome: Outcome }) => hub.apply(item.id, outcome),
    onSuccess: ({ learning }) => {
      put(learning);
      toast.done(words.item.told);
    },
    onError: failed,
  });
}

/** Takes back everything that a run brought into the hub. */
export function useRollBack() {
  return useMutation({
    mutationFn: (runId: string) => hub.rollBack(runId, words.review.rollBackWhy),
    onSuccess: (count, runId) => {
      void queryClient.invalidateQueries({ queryKey: ["knowledge"] });
      // The card's Overview lists what its run recorded.
      void queryClient.invalidateQueries({ queryKey: keys.runGuide(runId) });
      toast.done(words.review.rolledBack(count));
    },
    onError: failed,
  });
}
