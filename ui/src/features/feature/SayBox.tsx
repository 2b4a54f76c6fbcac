import { ArrowUp, MessageSquareText } from "lucide-react";
import { useEffect, useLayoutEffect, useRef } from "react";
import type { Feature } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Tooltip } from "@/components/ui/tooltip";
import { planWaits } from "@/features/actions";
import { cn } from "@/lib/cn";
import { s } from "./strings";
import { useSay, whyNot } from "./useSay";

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
  const { text, write, comments, message, go, busy } = useSay(feature, onSent);
  const field = useRef<HTMLTextAreaElement>(null);
  const why = whyNot(feature, mayBuild);
  const planned = planWaits(feature);
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

  if (why !== null) {
    return <p className="border-line border-t px-4 py-2.5 text-faint text-xs">{why}</p>;
  }
  return (
    <div data-composer="" className="border-line border-t bg-canvas px-3 py-2 @3xl:px-6">
      <div
        className={cn(
          "mx-auto flex max-w-4xl items-end gap-1.5 rounded-xl border border-line-strong bg-surface py-1 pr-1 pl-3 shadow-card transition-[border-color,box-shadow] duration-100",
          "focus-within:border-ring focus-within:ring-2 focus-within:ring-ring/25",
        )}
      >
        <textarea
          ref={field}
          rows={1}
          dir="auto"
          value={text}
          aria-label={s.say.label}
          placeholder={
            planned
              ? s.plan.say
              : feature.status === "queued"
                ? s.say.queued
                : working
                  ? s.say.working
                  : s.say.idle
          }
          onChange={(event) => write(event.target.value)}
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
        <Tooltip text={comments.length > 0 ? s.changes.ask : s.say.send} keys="mod+enter" side="top">
          <Button
            variant={message === "" ? "ghost" : "primary"}
            size="icon-sm"
            aria-label={comments.length > 0 ? s.changes.ask : s.say.send}
            busy={busy}
            disabled={message === ""}
            onClick={go}
            className="rounded-lg"
          >
            {!busy && <ArrowUp />}
          </Button>
        </Tooltip>
      </div>
    </div>
  );
}
