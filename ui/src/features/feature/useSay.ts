import type { Feature } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { useFollowUp } from "@/features/actions";
import { followUpMessage } from "./changes/comments";
import { kept } from "./lib/persistent";
import { s } from "./strings";

/** Why nothing can be said to the agent just now, if so. */
export function whyNot(feature: Feature, mayBuild: boolean): string | null {
  if (feature.status === "backlog") return s.say.backlog;
  if (feature.status === "completed") return s.say.completed;
  if (!mayBuild) return s.noRight;
  return null;
}

/** What is written but not said yet, the comments that go along, and how to say it. */
export function useSay(feature: Feature, onSent: () => void) {
  const drafts = kept.draft(feature.id);
  const text = drafts.use();
  const list = kept.comments(feature.id);
  const comments = list.use();
  const send = useFollowUp();
  const message = followUpMessage(text, comments);
  const go = () => {
    if (message === "" || send.isPending) return;
    send.mutate(
      { id: feature.id, message },
      {
        onSuccess: () => {
          // What was typed meanwhile stays.
          if (drafts.get() === text) drafts.set("");
          list.set((now) => now.filter((comment) => !comments.includes(comment)));
          if (comments.length > 0) toast.done(s.changes.asked, s.say.comments(comments.length));
          onSent();
        },
      },
    );
  };
  return {
    text,
    write: drafts.set,
    comments,
    discard: () => list.set([]),
    message,
    go,
    busy: send.isPending,
  };
}
