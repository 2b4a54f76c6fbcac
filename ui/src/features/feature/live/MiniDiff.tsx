import { useMemo } from "react";
import { cn } from "@/lib/cn";
import { useTokens } from "../code/highlight";
import { CodeText } from "../code/Line";
import { languageOf } from "../code/languages";
import { changedWords } from "../lib/intraline";
import { compare } from "../lib/sequence";
import { s } from "../strings";
import { linesOf } from "./tools";

/** What an edit changes in a passage. */
export function MiniDiff({ path, before, after }: { path: string; before: string; after: string }) {
  const { old, now, steps } = useMemo(() => {
    const old = linesOf(before);
    const now = linesOf(after);
    return { old, now, steps: compare(old, now) };
  }, [before, after]);
  const words = useMemo(() => pairs(steps, old, now), [steps, old, now]);
  const language = languageOf(path);
  const oldTokens = useTokens(language, before);
  const newTokens = useTokens(language, after);
  if (steps.every((step) => step.kind === "same")) {
    return <p className="text-faint text-xs">{s.live.unchanged}</p>;
  }
  return (
    <section
      aria-label={path}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
      tabIndex={0}
      className="-outline-offset-2 max-h-96 overflow-auto rounded-lg border border-line bg-surface py-1.5 font-mono text-xs leading-[1.125rem] scroll-thin"
    >
      {steps.map((step, at) => {
        const removed = step.kind === "delete";
        const text = (removed ? old[step.a] : now[step.b]) ?? "";
        return (
          <div
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is what stands at its place.
            key={at}
            className={cn("flex min-h-[1.125rem] pr-3", removed ? "bg-del" : step.kind === "add" && "bg-add")}
          >
            <span
              className={cn(
                "w-7 shrink-0 select-none text-center",
                removed ? "text-red" : step.kind === "add" ? "text-green" : "text-faint",
              )}
            >
              {removed ? "−" : step.kind === "add" ? "+" : " "}
            </span>
            <span className="whitespace-pre-wrap [overflow-wrap:anywhere]">
              <CodeText
                text={text}
                tokens={removed ? oldTokens?.[step.a] : newTokens?.[step.b]}
                marks={words.get(at)}
                mark={removed ? "bg-del-strong" : "bg-add-strong"}
              />
            </span>
          </div>
        );
      })}
    </section>
  );
}

/** The changed words of each line of a comparison, by the line's place in it. */
function pairs(steps: ReturnType<typeof compare>, old: string[], now: string[]) {
  const marks = new Map<number, readonly (readonly [number, number])[]>();
  let at = 0;
  while (at < steps.length) {
    const start = at;
    while (steps[at]?.kind === "delete") at += 1;
    const middle = at;
    while (steps[at]?.kind === "add") at += 1;
    for (let i = 0; i < Math.min(middle - start, at - middle); i += 1) {
      const words = changedWords(old[steps[start + i]?.a ?? -1] ?? "", now[steps[middle + i]?.b ?? -1] ?? "");
      if (words === null) continue;
      marks.set(start + i, words.before);
      marks.set(middle + i, words.after);
    }
    if (at === start) at += 1;
  }
  return marks;
}
