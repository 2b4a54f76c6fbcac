import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CirclePause } from "lucide-react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { SetAutoMode } from "@/api/types";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { Failures } from "./failures";
import { auto } from "./strings";

/** Says why the member's auto mode is paused, or who switched it off, and lets it go on. */
export default function AutoModeBanner({ projectId }: { projectId: string }) {
  const client = useQueryClient();
  const order = useQuery(queries.autoMode(projectId)).data;
  const set = useMutation({
    mutationFn: (action: SetAutoMode["action"]) => api.setAutoMode(projectId, { action }),
    onSuccess: (fresh, action) => {
      client.setQueryData(keys.autoMode(projectId), fresh);
      toast.done(action === "start" ? auto.started : auto.leftOff);
    },
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  const pause = order && order.state !== "on" ? order.pause : null;
  const off = order?.state === "off";
  const title = off ? auto.offTitle : auto.pausedTitle;
  return (
    <div role="status" aria-live="polite">
      {order && pause && (
        <section
          aria-label={title}
          className="mx-3 mb-2 flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg bg-amber-soft px-3 py-2 text-sm sm:mx-4"
        >
          <CirclePause aria-hidden className="size-4 shrink-0 text-amber" />
          <div className="min-w-48 flex-1">
            <p>
              <span className="font-medium">{title}.</span> {pause.message} {pause.hint}
              {order.stopped > 0 && ` ${auto.goesOn(order.stopped)}`}
            </p>
            <Failures order={order} />
          </div>
          {off && (
            <Button size="sm" variant="ghost" disabled={set.isPending} onClick={() => set.mutate("stop")}>
              {auto.leaveOff}
            </Button>
          )}
          <Button size="sm" busy={set.isPending} onClick={() => set.mutate("start")}>
            {off ? auto.start : auto.resume}
          </Button>
        </section>
      )}
    </div>
  );
}
