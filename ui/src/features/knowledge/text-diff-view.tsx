import { useMemo, useState } from "react";
import { cn } from "@/lib/cn";
import { words } from "./strings";
import { type DiffLine, diffLines, folded, pieces } from "./text-diff";

/** What changed from one text to another, line by line. */
export function TextDiff({ before, after, label }: { before: string; after: string; label: string }) {
  const parts = useMemo(() => folded(diffLines(before, after)), [before, after]);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      className="overflow-x-auto rounded-lg border border-line bg-surface py-1 font-mono text-xs leading-5"
    >
      {parts.map((part, at) =>
        part.kind === "lines" || opened.has(at) ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other name, and never move
          <div key={at}>
            {part.lines.map((line) => (
              <Line key={`${line.before} ${line.after}`} line={line} />
            ))}
          </div>
        ) : (
          <button
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            key={at}
            type="button"
            onClick={() => setOpened(new Set([...opened, at]))}
            className="block w-full bg-sunken px-3 py-0.5 text-left font-sans text-muted hover:text-ink"
          >
            {words.history.unchanged(part.lines.length)}
          </button>
        ),
      )}
    </section>
  );
}

function Line({ line: { kind, text, marks } }: { line: DiffLine }) {
  return (
    <div
      className={cn(
        "flex gap-2 whitespace-pre-wrap px-2 [overflow-wrap:anywhere]",
        kind === "add" && "bg-add",
        kind === "delete" && "bg-del",
      )}
    >
      <span aria-hidden className="w-2 shrink-0 select-none text-muted">
        {kind === "add" ? "+" : kind === "delete" ? "−" : ""}
      </span>
      {kind !== "same" && (
        <span className="sr-only">{kind === "add" ? words.history.added : words.history.removed}: </span>
      )}
      <span className="min-w-0">
        {text === ""
          ? "\u00a0"
          : pieces(text, marks).map((piece) =>
              piece.marked ? (
                <mark
                  key={piece.from}
                  className={cn(
                    "rounded-xs text-inherit",
                    kind === "add" ? "bg-add-strong" : "bg-del-strong",
                  )}
                >
                  {piece.text}
                </mark>
              ) : (
                <span key={piece.from}>{piece.text}</span>
              ),
            )}
      </span>
    </div>
  );
}
