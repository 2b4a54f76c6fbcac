import { useMutation, useQueryClient } from "@tanstack/react-query";
import { body, client } from "@/api/client";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { toast } from "@/components/ui/toast";

/** Removes one of those things from the server's disk that go only when an admin says so. */
export function useRemove(done: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (path: string) =>
      body(client.POST("/api/operation/orphans/remove", { body: { paths: [path] } })),
    onSuccess: async () => {
      toast.done(done);
      await cache.invalidateQueries({ queryKey: keys.disk });
    },
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
}

/** Where the focus goes when the row that had it is gone: to the heading of its section, or, when that is gone too, to the page. */
export const headingOf = (section: string) => () =>
  document.getElementById(`${section}-title`) ?? document.getElementById("content");

/** For the `ref` of a row. It may be there for a while after it was removed: until the disk is measured again. */
export const leadsTo = (next: () => HTMLElement | null) => (row: HTMLElement | null) => () => {
  const had = row?.contains(document.activeElement) ?? false;
  queueMicrotask(() => had && row?.isConnected === false && next()?.focus());
};
