import { Sparkles, Undo2 } from "lucide-react";
import { lazy, type ReactNode, type RefObject, Suspense, useState } from "react";
import { useMay } from "@/api/queries";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Menu, MenuItem } from "@/components/ui/menu";
import { Skeleton } from "@/components/ui/skeleton";
import { KINDS, useImproving } from "./improving";

// Seldom needed, and it brings the comparison of texts.
const TextDiff = lazy(() =>
  import("@/features/knowledge/text-diff-view").then((module) => ({ default: module.TextDiff })),
);

/** Puts a text into a field as if it were typed, so that the browser's undo takes it back. False where that cannot be. */
function typed(field: HTMLTextAreaElement | null, text: string): boolean {
  if (field === null || typeof document.execCommand !== "function") return false;
  field.focus();
  field.select();
  return document.execCommand("insertText", false, text);
}

/** The way to a suggestion for what a card says: a model makes it, and the member looks at it and takes it or not. */
export function useImprove({
  projectId,
  title,
  value,
  field,
  onChange,
  onTaken,
}: {
  projectId: string;
  title: string;
  value: string;
  field: RefObject<HTMLTextAreaElement | null>;
  onChange: (text: string) => void;
  /** Says whether the text is a suggestion that was taken. */
  onTaken: (taken: boolean) => void;
}): { menu: ReactNode; panel: ReactNode; forget: () => void } {
  const mayRun = useMay("run");
  const improving = useImproving(projectId);
  const [taken, setTaken] = useState<{ former: string; made: string } | null>(null);
  const put = (text: string) => {
    if (!typed(field.current, text)) onChange(text);
  };
  const take = (made: string) => {
    setTaken({ former: value, made });
    onTaken(true);
    put(made);
    improving.drop();
  };
  const back = (former: string) => {
    setTaken(null);
    onTaken(false);
    put(former);
  };
  /** What was suggested is of no use to what the form holds from now on. */
  const forget = () => {
    setTaken(null);
    onTaken(false);
    improving.drop();
  };
  const open =
    improving.live || improving.made !== null || improving.error !== null || improving.why !== null;

  const menu = (
    <span className="flex items-center gap-1">
      {mayRun && (
        <Menu
          trigger={
            <button
              type="button"
              disabled={value.trim() === "" || improving.live}
              className="inline-flex items-center gap-1 rounded px-1.5 py-0.5 hover:bg-hover hover:text-ink disabled:opacity-50"
            >
              <Sparkles aria-hidden className="size-3.5" /> Improve…
            </button>
          }
        >
          {KINDS.map(([kind, label]) => (
            <MenuItem key={kind} onClick={() => improving.ask({ kind, title, text: value })}>
              {label}
            </MenuItem>
          ))}
        </Menu>
      )}
      {taken !== null && taken.made.trim() === value.trim() && (
        <button
          type="button"
          onClick={() => back(taken.former)}
          className="inline-flex items-center gap-1 rounded px-1.5 py-0.5 hover:bg-hover hover:text-ink"
        >
          <Undo2 aria-hidden className="size-3.5" /> Back to what I wrote
        </button>
      )}
    </span>
  );

  const { made } = improving;
  const panel = open && (
    <section
      aria-label="Suggestion"
      aria-busy={improving.live}
      className="flex flex-col gap-2 rounded-lg border border-line bg-sunken p-3 text-sm"
    >
      {improving.live && (
        <p role="status" className="text-muted">
          {improving.waits ?? "A model reads what you wrote, with your key…"}
        </p>
      )}
      <FormError error={improving.error} />
      {improving.why !== null && <p className="text-red">{improving.why}</p>}
      {made !== null &&
        (made === value.trim() ? (
          <p className="text-muted">It would change nothing.</p>
        ) : (
          <>
            {improving.of !== value && (
              <p className="text-amber">You wrote on meanwhile: it is made of what stood there before.</p>
            )}
            <Suspense fallback={<Skeleton className="h-32 rounded-lg" />}>
              <TextDiff before={value} after={made} label="From what you wrote to the suggestion" />
            </Suspense>
          </>
        ))}
      <div className="flex justify-end gap-2">
        <Button size="sm" variant="ghost" onClick={improving.drop}>
          {improving.live ? "Stop" : "Keep mine"}
        </Button>
        {made !== null && made !== value.trim() && (
          <Button size="sm" onClick={() => take(made)}>
            Take the suggestion
          </Button>
        )}
      </div>
    </section>
  );
  return { menu, panel, forget };
}
