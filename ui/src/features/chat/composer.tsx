import { ArrowUp, Paperclip } from "lucide-react";
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { QueuedFiles } from "@/features/editor/files";
import { cn } from "@/lib/cn";
import type { useFiles } from "./files";
import { s } from "./strings";

/** Where a message is written. Enter sends it, Shift and Enter begins a new line. */
export function Composer({
  text,
  write,
  placeholder,
  busy,
  onSend,
  files,
  tools,
  autoFocus,
  rows = 1,
}: {
  text: string;
  write: (text: string) => void;
  placeholder: string;
  busy: boolean;
  onSend: () => void;
  /** What goes with the words. */
  files: ReturnType<typeof useFiles>;
  /** What is chosen beside the words. */
  tools?: ReactNode;
  autoFocus?: boolean;
  rows?: number;
}) {
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
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
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is another way to what the button does.
    <div
      data-composer=""
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => {
        if (event.dataTransfer.files.length === 0) return;
        event.preventDefault();
        setOver(false);
        files.add(event.dataTransfer.files);
      }}
      onPaste={(event) => {
        if (event.clipboardData.files.length === 0) return;
        event.preventDefault();
        files.add(event.clipboardData.files);
      }}
      className={cn(
        "relative mx-auto flex w-full max-w-4xl flex-col gap-1 rounded-xl border border-line-strong bg-surface p-1.5 shadow-card transition-[border-color,box-shadow] duration-100",
        "focus-within:border-ring focus-within:ring-2 focus-within:ring-ring/25",
      )}
    >
      {over && (
        <div className="pointer-events-none absolute inset-1 z-10 flex items-center justify-center rounded-lg border-2 border-accent border-dashed bg-accent-soft/90 font-medium text-accent-text text-sm">
          {s.files.drop}
        </div>
      )}
      <textarea
        ref={field}
        rows={rows}
        dir="auto"
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
      <QueuedFiles files={files.files} onRemove={(file) => files.remove([file])} />
      <div className="flex items-end gap-1.5">
        <div className="flex min-w-0 flex-1 flex-wrap items-center gap-1.5">
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label={s.files.attach}
            title={s.files.attach}
            onClick={() => picker.current?.click()}
          >
            <Paperclip />
          </Button>
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            accept="image/png,image/jpeg,image/gif,image/webp,text/*,.md,.json,.yaml,.yml,.toml,.csv,.log"
            onChange={(event) => {
              files.add([...(event.currentTarget.files ?? [])]);
              // The same file can be chosen once more.
              event.currentTarget.value = "";
            }}
          />
          {tools}
        </div>
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
