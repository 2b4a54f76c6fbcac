import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { announce } from "@/lib/announce";
import { t } from "@/strings";

/** A word for a terminal, and what copies it. */
export function CopyCode({ value, label }: { value: string; label: string }) {
  const [copied, setCopied] = useState<string | null>(null);
  const copy = () =>
    void navigator.clipboard?.writeText(value).then(() => {
      setCopied(value);
      announce(t.common.copied);
    });
  const done = copied === value;
  return (
    <span className="inline-flex max-w-full items-start gap-1">
      <code className="py-0.5 text-xs [overflow-wrap:anywhere]">{value}</code>
      <button
        type="button"
        aria-label={label}
        title={done ? t.common.copied : label}
        onClick={copy}
        className="shrink-0 rounded p-1 text-faint hover:bg-hover hover:text-ink pointer-coarse:p-2"
      >
        {done ? <Check aria-hidden className="size-3.5" /> : <Copy aria-hidden className="size-3.5" />}
      </button>
    </span>
  );
}
