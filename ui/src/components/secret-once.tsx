import { Check, Copy } from "lucide-react";
import { useId, useState } from "react";
import { Button } from "@/components/ui/button";
import { announce } from "@/lib/announce";
import { t } from "@/strings";

/** A link or a token that is shown this once, to be copied. */
export function SecretOnce({ label, value, note }: { label: string; value: string; note: string }) {
  const id = useId();
  const [copied, setCopied] = useState(false);
  const copy = () =>
    void navigator.clipboard?.writeText(value).then(() => {
      setCopied(true);
      announce(t.common.copied);
    });
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="font-medium text-sm">
        {label}
      </label>
      <div className="flex gap-2">
        <input
          id={id}
          readOnly
          value={value}
          spellCheck={false}
          aria-describedby={`${id}-note`}
          onFocus={(event) => event.currentTarget.select()}
          className="h-9 min-w-0 flex-1 rounded-md border border-line-strong bg-sunken px-2.5 font-mono text-xs focus-visible:outline-2 focus-visible:outline-ring"
        />
        <Button variant="primary" className="h-9" onClick={copy}>
          {copied ? <Check /> : <Copy />}
          {copied ? t.common.copied : t.common.copy}
        </Button>
      </div>
      <p id={`${id}-note`} className="text-faint text-xs">
        {note}
      </p>
    </div>
  );
}
