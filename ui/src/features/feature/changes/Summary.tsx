import { ChevronDown } from "lucide-react";
import { useState } from "react";
import { Markdown } from "@/components/markdown";
import { cn } from "@/lib/cn";
import { s } from "../strings";

/** The agent's closing words, above what it changed. */
export function Summary({ text }: { text: string }) {
  const [open, setOpen] = useState(true);
  return (
    <section className="rounded-xl border border-line bg-surface px-3 py-2 shadow-card">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="flex w-full items-center gap-1.5 rounded-md text-left font-medium text-faint text-xs hover:text-ink"
      >
        <ChevronDown aria-hidden className={cn("size-3.5 transition-transform", !open && "-rotate-90")} />
        {s.changes.summary}
      </button>
      {open && <Markdown text={text} className="mt-1 max-w-3xl pb-0.5 pl-5 text-sm" />}
    </section>
  );
}
