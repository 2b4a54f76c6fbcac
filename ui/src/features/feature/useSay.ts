import { useIsMutating, useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import type { Feature } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { putFeature, putRun } from "@/live/apply";
import { broughtSince, rememberFeature } from "@/live/recent";
import { followUpMessage } from "./changes/comments";
import { type Comment, kept } from "./lib/kept";
import { s } from "./strings";

/** Why nothing can be said to the agent just now, if so. */
export function whyNot(feature: Feature, mayBuild: boolean): string | null {
  if (feature.executionId !== null) return s.say.ofExecution;
  if (feature.status === "backlog") return s.say.backlog;
  if (feature.status === "completed") return s.say.completed;
  if (!mayBuild) return s.noRight;
  return null;
}

interface Said {
  id: string;
  message: string;
  /** What it was made of. */
  text: string;
  comments: readonly Comment[];
}

/** What was sent waits no more; what was typed meanwhile stays. */
function forgetSaid({ id, text, comments }: Said) {
  kept.draft(id).set((now) => (now === text ? "" : now));
  kept.comments(id).set((now) => now.filter((one) => !comments.some((sent) => sent.id === one.id)));
  if (comments.length > 0) toast.done(s.changes.asked, s.say.comments(comments.length));
}

/** Says something to the agent: `mutate(said)`. Only one thing is under way, wherever it was said. */
function useFollowUp(featureId: string) {
  const client = useQueryClient();
  const mutationKey = ["feature", "follow-up", featureId];
  const busy = useIsMutating({ mutationKey }) > 0;
  const { mutate } = useMutation({
    mutationKey,
    mutationFn: async ({ id, message }: Said) => {
      const began = performance.now();
      const { feature, run } = await api.followUp(id, message);
      rememberFeature(feature);
      putFeature(client, feature);
      if (broughtSince("run", run.id, began) === undefined) putRun(client, run);
      return feature;
    },
    // Also when nothing of it is shown any more.
    onSuccess: (_, said) => forgetSaid(said),
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
  return { mutate, busy };
}

/** What is written but not said yet, the comments that go along, and how to say it. */
export function useSay(feature: Feature, onSent: () => void) {
  const drafts = kept.draft(feature.id);
  const text = drafts.use();
  const list = kept.comments(feature.id);
  const comments = list.use();
  const { mutate, busy } = useFollowUp(feature.id);
  const message = followUpMessage(text, comments);
  const go = () => {
    if (message !== "" && !busy) mutate({ id: feature.id, message, text, comments }, { onSuccess: onSent });
  };
  return {
    text,
    write: drafts.set,
    comments,
    discard: () => list.set([]),
    message,
    go,
    busy,
  };
}
