import { ArrowUp } from "lucide-react";
import { type ReactNode, useEffect, useLayoutEffect, useRef } from "react";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { s } from "./strings";

/** Where a message is written. Enter sends it, Shift and Enter begins a new line. */
export function Composer({
  text,
  write,
  placeholder,
  busy,
  onSend,
  tools,
  autoFocus,
  rows = 1,
}: {
  text: string;
  write: (text: string) => void;
  placeholder: string;
  busy: boolean;
  onSend: () => void;
  /** What is chosen beside the words. */
  tools?: ReactNode;
  autoFocus?: boolean;
  rows?: number;
}) {
  const field = useRef<HTMLTextAreaElement>(null);
  const empty = text.trim() === "";

  // biome-ignore lint/correctness/useExhaustiveDependencies: its height follows the text.
  useLayoutEffect(() => {
    const el = field.current;
    if (el === null) return;
    el.style.height = "auto";
    el.style.height = `${Math.min(el.scrollHeight, 320)}px`;
  }, [text]);
  useEffect(() => {
    const el = field.current;
    // On a small screen the keyboard would cover what is to be read.
    if (!autoFocus || el === null || !matchMedia("(min-width: 48rem)").matches) return;
    el.focus();
    // A draft is gone on with at its end.
    el.setSelectionRange(el.value.length, el.value.length);
  }, [autoFocus]);

  return (
    <div
      className={cn(
        "mx-auto flex w-full max-w-4xl flex-col gap-1 rounded-xl border border-line-strong bg-surface p-1.5 shadow-card transition-[border-color,box-shadow] duration-100",
        "focus-within:border-ring focus-within:ring-2 focus-within:ring-ring/25",
      )}
    >
      <textarea
        ref={field}
        rows={rows}
        value={text}
        aria-label={s.askLabel}
        aria-description={s.keys}
        placeholder={placeholder}
        onChange={(event) => write(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          if (!empty && !busy) onSend();
        }}
        className="min-h-7 w-full resize-none bg-transparent px-1.5 py-[0.1875rem] text-sm leading-[1.375rem] outline-none placeholder:text-faint"
      />
      <div className="flex items-end gap-1.5">
        <div className="flex min-w-0 flex-1 flex-wrap items-center gap-1.5">{tools}</div>
        <Button
          variant={empty ? "ghost" : "primary"}
          size="icon-sm"
          aria-label={s.send}
          busy={busy}
          disabled={empty}
          onClick={onSend}
          className="rounded-lg"
        >
          {!busy && <ArrowUp />}
        </Button>
      </div>
    </div>
  );
}
