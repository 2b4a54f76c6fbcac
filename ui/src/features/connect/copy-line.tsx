import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { announce } from "@/lib/announce";
import { t } from "@/strings";

/** A line to be copied into somewhere else. */
export function CopyLine({ label, value }: { label: string; value: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () =>
    void navigator.clipboard?.writeText(value).then(() => {
      setCopied(true);
      announce(t.common.copied);
    });
  return (
    <div className="flex items-stretch gap-2">
      <input
        readOnly
        value={value}
        spellCheck={false}
        aria-label={label}
        onFocus={(event) => event.currentTarget.select()}
        className="h-9 min-w-0 flex-1 rounded-md border border-line-strong bg-sunken px-2.5 font-mono text-xs focus-visible:outline-2 focus-visible:outline-ring"
      />
      <Button className="h-9" aria-label={`${t.common.copy}: ${label}`} onClick={copy}>
        {copied ? <Check /> : <Copy />}
        <span className="max-sm:sr-only">{copied ? t.common.copied : t.common.copy}</span>
      </Button>
    </div>
  );
}
