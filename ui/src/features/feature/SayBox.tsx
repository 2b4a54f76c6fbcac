import { ArrowUp, MessageSquareText } from "lucide-react";
import { useEffect, useId, useLayoutEffect, useRef } from "react";
import type { Feature } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Keys } from "@/components/ui/kbd";
import { toast } from "@/components/ui/toast";
import { useFollowUp } from "@/features/actions";
import { cn } from "@/lib/cn";
import { followUpMessage } from "./changes/comments";
import { kept } from "./lib/persistent";
import { s } from "./strings";

/** Why nothing can be said just now, if so. */
export function whyNot(feature: Feature, mayBuild: boolean): string | null {
  if (feature.status === "backlog") return s.say.backlog;
  if (feature.status === "completed") return s.say.completed;
  if (!mayBuild) return s.noRight;
  return null;
}

/** Where a member says something to the agent. What is typed survives a reload; comments on lines go along. */
export function SayBox({
  feature,
  mayBuild,
  onSent,
  focus,
}: {
  feature: Feature;
  mayBuild: boolean;
  onSent: () => void;
  /** Counts how often something asked for the field. */
  focus: number;
}) {
  const drafts = kept.draft(feature.id);
  const text = drafts.use();
  const commentStore = kept.comments(feature.id);
  const comments = commentStore.use();
  const send = useFollowUp();
  const field = useRef<HTMLTextAreaElement>(null);
  const hint = useId();
  const why = whyNot(feature, mayBuild);
  const working = feature.status === "in_progress" || feature.status === "queued";

  // biome-ignore lint/correctness/useExhaustiveDependencies: its height follows the text.
  useLayoutEffect(() => {
    const el = field.current;
    if (el === null) return;
    el.style.height = "auto";
    el.style.height = `${Math.min(el.scrollHeight, 240)}px`;
  }, [text]);
  useEffect(() => {
    if (focus === 0) return;
    const el = field.current;
    el?.focus();
    el?.setSelectionRange(el.value.length, el.value.length);
  }, [focus]);

  const message = followUpMessage(text, comments);
  const go = () => {
    if (message === "" || why !== null || send.isPending) return;
    send.mutate(
      { id: feature.id, message },
      {
        onSuccess: () => {
          // What was typed meanwhile stays.
          if (drafts.get() === text) drafts.set("");
          commentStore.set((now) => now.filter((comment) => !comments.includes(comment)));
          if (comments.length > 0) toast.done(s.changes.asked, s.say.comments(comments.length));
          onSent();
        },
      },
    );
  };

  if (why !== null) {
    return <p className="border-line border-t px-4 py-2.5 text-faint text-xs">{why}</p>;
  }
  return (
    <div className="border-line border-t bg-canvas px-3 pt-2 pb-2.5 @3xl:px-6">
      <div
        className={cn(
          "mx-auto flex max-w-4xl items-end gap-1.5 rounded-xl border border-line-strong bg-surface py-1 pr-1 pl-3 shadow-card transition-[border-color,box-shadow] duration-100",
          "focus-within:border-ring focus-within:ring-2 focus-within:ring-ring/25",
        )}
      >
        <textarea
          ref={field}
          rows={1}
          value={text}
          aria-label={s.say.label}
          aria-describedby={hint}
          placeholder={feature.status === "queued" ? s.say.queued : working ? s.say.working : s.say.idle}
          onChange={(event) => drafts.set(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) {
              event.preventDefault();
              go();
            } else if (event.key === "Escape") {
              event.stopPropagation();
              event.currentTarget.blur();
            }
          }}
          className="min-h-7 flex-1 resize-none bg-transparent py-[0.1875rem] text-sm leading-[1.375rem] outline-none placeholder:truncate placeholder:text-faint"
        />
        {comments.length > 0 && (
          <span className="mb-1 flex shrink-0 items-center gap-1 rounded-full bg-accent-soft px-2 py-0.5 text-2xs text-accent-text">
            <MessageSquareText aria-hidden className="size-3" />
            {s.say.comments(comments.length)}
          </span>
        )}
        <Button
          variant={message === "" ? "ghost" : "primary"}
          size="icon-sm"
          aria-label={comments.length > 0 ? s.changes.ask : s.say.send}
          title={comments.length > 0 ? s.changes.ask : s.say.send}
          busy={send.isPending}
          disabled={message === ""}
          onClick={go}
          className="rounded-lg"
        >
          {!send.isPending && <ArrowUp />}
        </Button>
      </div>
      <p
        id={hint}
        className="mx-auto mt-1 flex h-4 max-w-4xl items-center justify-between gap-2 px-1 text-2xs text-faint"
      >
        <span className="truncate">{working ? s.say.hintWorking : s.say.hintIdle}</span>
        <span className="hidden items-center gap-1.5 @sm:flex">
          <Keys keys="mod+enter" /> {s.say.send}
        </span>
      </p>
    </div>
  );
}
