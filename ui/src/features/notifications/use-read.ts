import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useUnread } from "@/api/queries";
import { toast } from "@/components/ui/toast";

/** Marks notifications as read. */
export function useRead() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: api.readNotifications,
    onSuccess: ({ unread }) => {
      client.setQueryData(keys.unread, unread);
      void client.invalidateQueries({ queryKey: [...keys.notifications, "list"] });
    },
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
}

/** Whoever looks at a card has read what was told of it. */
export function useReadOfCard(featureId: string) {
  const client = useQueryClient();
  const unread = useUnread();
  useEffect(() => {
    if (unread === 0) return;
    const look = () => {
      if (document.visibilityState !== "visible") return;
      // Should it fail, they are read the next time.
      api
        .readNotifications({ featureId })
        .then((left) => client.setQueryData(keys.unread, left.unread))
        .catch(() => {});
    };
    look();
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, [client, featureId, unread]);
}
