import { useMemo } from "react";
import type { Plan } from "@/api/types";
import { cn } from "@/lib/cn";
import { compare } from "../lib/sequence";
import { p } from "./strings";

const linesOf = (plan: Plan) => [
  ...plan.text.split("\n"),
  "",
  `${p.tasks}:`,
  ...plan.tasks.map((task) => `- ${task.title}`),
];

/** What changed from one version of a plan to the next, line by line. */
export function Compare({ before, after }: { before: Plan; after: Plan }) {
  const lines = useMemo(() => {
    const [a, b] = [linesOf(before), linesOf(after)];
    return compare(a, b).map((step) => ({
      ...step,
      text: (step.kind === "add" ? b[step.b] : a[step.a]) ?? "",
    }));
  }, [before, after]);
  return (
    <div className="overflow-hidden rounded-lg border border-line py-1 font-mono text-xs leading-5">
      {lines.map(({ kind, a, b, text }) => (
        <div
          key={`${kind} ${a} ${b}`}
          className={cn(
            "flex gap-2 whitespace-pre-wrap px-2 [overflow-wrap:anywhere]",
            kind === "add" && "bg-green-soft",
            kind === "delete" && "bg-red-soft",
          )}
        >
          <span aria-hidden className="w-2 shrink-0 select-none text-muted">
            {kind === "add" ? "+" : kind === "delete" ? "−" : ""}
          </span>
          {kind !== "same" && <span className="sr-only">{kind === "add" ? p.added : p.removed}:</span>}
          {text === "" ? "\u00a0" : text}
        </div>
      ))}
    </div>
  );
}
