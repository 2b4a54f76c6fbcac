import { useQueryClient } from "@tanstack/react-query";
import { Pencil } from "lucide-react";
import { useRef, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import type { Feature } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { cn } from "@/lib/cn";
import { putFeature } from "@/live/apply";
import { rememberFeature } from "@/live/recent";
import { s } from "../strings";

/** The title, which becomes a field when it is clicked. Enter keeps it, Escape leaves it as it was. */
export function Title({
  feature,
  mayEdit,
  as: Heading,
}: {
  feature: Feature;
  mayEdit: boolean;
  as: "h1" | "h2";
}) {
  const client = useQueryClient();
  const [text, setText] = useState<string | null>(null);
  const button = useRef<HTMLButtonElement>(null);

  const leave = () => {
    setText(null);
    requestAnimationFrame(() => button.current?.focus());
  };
  const keep = async () => {
    const title = text?.trim() ?? "";
    leave();
    if (title === "" || title === feature.title) return;
    putFeature(client, { ...feature, title });
    try {
      const changed = await api.updateFeature(feature.id, { title, expectVersion: feature.version });
      rememberFeature(changed);
      putFeature(client, changed);
    } catch (error) {
      putFeature(client, feature);
      toast.error(undefined, asApiError(error));
    }
  };

  const look = "font-semibold text-lg leading-6 @2xl:text-xl @2xl:leading-7";
  if (text !== null) {
    return (
      <Heading className="-mx-1.5 -my-0.5">
        <textarea
          aria-label={s.header.titleLabel}
          // biome-ignore lint/a11y/noAutofocus: it takes the place of what was pressed.
          autoFocus
          rows={1}
          dir="auto"
          value={text}
          onFocus={({ currentTarget: el }) => el.select()}
          ref={(el) => {
            if (el === null) return;
            el.style.height = "auto";
            el.style.height = `${el.scrollHeight}px`;
          }}
          onChange={(event) => setText(event.target.value.replaceAll("\n", " "))}
          onBlur={() => void keep()}
          onKeyDown={(event) => {
            if (event.key === "Enter") {
              event.preventDefault();
              event.currentTarget.blur();
            } else if (event.key === "Escape") {
              event.preventDefault();
              event.stopPropagation();
              leave();
            }
          }}
          className={cn(
            look,
            "block w-full resize-none overflow-hidden rounded-md bg-surface px-1.5 py-0.5 outline-2 outline-ring",
          )}
        />
      </Heading>
    );
  }
  if (!mayEdit)
    return (
      <Heading dir="auto" className={cn(look, "[overflow-wrap:anywhere]")}>
        {feature.title}
      </Heading>
    );
  return (
    <Heading className="-mx-1.5 -my-0.5">
      <button
        ref={button}
        type="button"
        dir="auto"
        onClick={() => setText(feature.title)}
        className={cn(
          look,
          "group/title w-full rounded-md px-1.5 py-0.5 text-start [overflow-wrap:anywhere] hover:bg-hover",
        )}
      >
        {feature.title}
        <Pencil
          aria-hidden
          className="ml-1.5 inline size-3.5 text-faint opacity-0 group-hover/title:opacity-100 group-focus-visible/title:opacity-100"
        />
        <span className="sr-only"> ({s.header.editTitle})</span>
      </button>
    </Heading>
  );
}
