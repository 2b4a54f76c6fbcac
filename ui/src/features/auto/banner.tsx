import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CirclePause } from "lucide-react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { auto } from "./strings";

/** Says why the member's auto mode is paused, and lets it go on. */
export default function AutoModeBanner({ projectId }: { projectId: string }) {
  const client = useQueryClient();
  const order = useQuery(queries.autoMode(projectId)).data;
  const resume = useMutation({
    mutationFn: () => api.setAutoMode(projectId, { action: "start" }),
    onSuccess: (fresh) => {
      client.setQueryData(keys.autoMode(projectId), fresh);
      toast.done(auto.started);
    },
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  const pause = order?.state === "paused" ? order.pause : null;
  return (
    <div role="status" aria-live="polite">
      {pause && (
        <section
          aria-label={auto.pausedTitle}
          className="mx-3 mb-2 flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg bg-amber-soft px-3 py-2 text-sm sm:mx-4"
        >
          <CirclePause aria-hidden className="size-4 shrink-0 text-amber" />
          <p className="min-w-48 flex-1">
            <span className="font-medium">{auto.pausedTitle}.</span> {pause.message} {pause.hint}
          </p>
          <Button size="sm" busy={resume.isPending} onClick={() => resume.mutate()}>
            {auto.resume}
          </Button>
        </section>
      )}
    </div>
  );
}
