import { ChevronDown, ChevronsUpDown, ChevronUp, LoaderCircle } from "lucide-react";
import { cn } from "@/lib/cn";
import { s } from "../strings";
import type { Gap, Revealed } from "./hunks";

/** Lines that one press shows. */
const STEP = 20;

/** What is left out between two places, and the buttons that show it. */
export function GapBar({
  gap,
  hidden,
  context,
  busy,
  failed,
  first,
  last,
  onReveal,
}: {
  gap?: Gap;
  hidden?: number | null;
  context: string;
  busy?: boolean;
  failed?: boolean;
  first?: boolean;
  last?: boolean;
  onReveal?: (by: Partial<Revealed>) => void;
}) {
  const all = hidden != null && hidden <= STEP;
  const button = "flex h-6 items-center gap-1 rounded px-1 hover:bg-hover hover:text-ink [&_svg]:size-3.5";
  return (
    <div className="flex min-h-7 items-center gap-2 bg-[color-mix(in_oklab,var(--blue-soft)_55%,transparent)] pr-3 pl-1.5 text-faint text-xs">
      {gap !== undefined && onReveal !== undefined && (
        <span className="flex w-[4.75rem] shrink-0 items-center justify-center">
          {busy ? (
            <LoaderCircle aria-hidden className="size-3.5 animate-spin-slow" />
          ) : all ? (
            <button
              type="button"
              className={button}
              aria-label={s.changes.expandLines(hidden)}
              title={s.changes.expandLines(hidden)}
              onClick={() => onReveal(first ? { bottom: hidden } : { top: hidden })}
            >
              <ChevronsUpDown />
            </button>
          ) : (
            <>
              {!first && (
                <button
                  type="button"
                  className={button}
                  aria-label={s.changes.expandDown}
                  title={s.changes.expandDown}
                  onClick={() => onReveal({ top: STEP })}
                >
                  <ChevronDown />
                </button>
              )}
              {!last && (
                <button
                  type="button"
                  className={button}
                  aria-label={s.changes.expandUp}
                  title={s.changes.expandUp}
                  onClick={() => onReveal({ bottom: STEP })}
                >
                  <ChevronUp />
                </button>
              )}
            </>
          )}
        </span>
      )}
      <code className={cn("min-w-0 flex-1 truncate", gap === undefined && "pl-1.5")}>
        {failed ? s.changes.expandFailed : context}
      </code>
      {hidden != null && hidden > STEP && <span className="num shrink-0">{s.changes.hidden(hidden)}</span>}
    </div>
  );
}
