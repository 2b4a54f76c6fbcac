import { useQuery } from "@tanstack/react-query";
import { Plus, Sparkles } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { queries } from "@/api/queries";
import { queryClient } from "@/app/query-client";
import { toast } from "@/components/ui/toast";
import { putFeature } from "@/live/apply";
import { rememberFeature } from "@/live/recent";

/** What the sample project's board offers: cards that one click writes. */
export function Suggestions({ projectId, taken }: { projectId: string; taken: ReadonlySet<string> }) {
  const suggestions = useQuery(queries.suggestions());
  const [adding, setAdding] = useState<string | null>(null);
  const left = suggestions.data?.filter((entry) => !taken.has(entry.title)) ?? [];
  if (left.length === 0) return null;
  return (
    <section aria-label="Suggested cards" className="flex flex-col gap-2 px-0.5 pt-0.5 pb-3">
      <p className="flex items-center gap-1.5 px-1.5 pt-1 text-faint text-xs">
        <Sparkles aria-hidden className="size-3.5" /> Suggestions to begin with
      </p>
      {left.map((entry) => (
        <button
          key={entry.title}
          type="button"
          disabled={adding !== null}
          onClick={async () => {
            setAdding(entry.title);
            try {
              const feature = await api.createFeature(projectId, entry);
              rememberFeature(feature);
              putFeature(queryClient, feature);
            } catch (cause) {
              toast.error(undefined, asApiError(cause));
            } finally {
              setAdding(null);
            }
          }}
          className="group flex items-start gap-2 rounded-lg border border-line-strong border-dashed p-2.5 text-left text-sm hover:border-accent hover:bg-surface disabled:opacity-60"
        >
          <Plus aria-hidden className="mt-0.5 size-4 shrink-0 text-faint group-hover:text-accent-text" />
          <span className="min-w-0">
            <span className="block font-medium">{entry.title}</span>
            <span className="line-clamp-2 text-muted text-xs">{plain(entry.description)}</span>
          </span>
        </button>
      ))}
    </section>
  );
}

/** Markdown's first paragraph without its marks, for a line or two. */
function plain(markdown: string): string {
  return (markdown.trim().split(/\n\s*\n/)[0] ?? "").replace(/[`*_#]|^> ?/gm, "").replace(/\s+/g, " ");
}
