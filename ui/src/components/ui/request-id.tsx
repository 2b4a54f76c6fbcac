import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { cn } from "@/lib/cn";
import { t } from "@/strings";

/** The id of a request, to be sent to whoever runs the server. */
export function RequestId({ id, className }: { id: string; className?: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <button
      type="button"
      title={t.common.copyId}
      onClick={() => {
        void navigator.clipboard?.writeText(id).then(() => setCopied(true));
      }}
      className={cn(
        "inline-flex max-w-full items-center gap-1.5 rounded text-faint text-xs hover:text-ink",
        className,
      )}
    >
      <span className="truncate">
        {t.common.requestId} <code>{id}</code>
      </span>
      {copied ? (
        <Check aria-label={t.common.copied} className="size-3" />
      ) : (
        <Copy aria-hidden className="size-3" />
      )}
    </button>
  );
}
