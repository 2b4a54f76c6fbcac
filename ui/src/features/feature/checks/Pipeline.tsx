import { useQuery } from "@tanstack/react-query";
import {
  ChevronRight,
  CircleCheck,
  CircleDashed,
  CircleX,
  LoaderCircle,
  type LucideIcon,
  MessageCircle,
  Undo2,
} from "lucide-react";
import { use, useState } from "react";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import type { Run, RunStep, StepStatus } from "@/api/types";
import { Markdown } from "@/components/markdown";
import { cn } from "@/lib/cn";
import { duration } from "@/lib/format";
import { Elapsed } from "@/lib/time";
import { Level } from "../level";
import { STEP, s } from "../strings";

const LOOK: Record<StepStatus, [LucideIcon, string]> = {
  waiting: [CircleDashed, "text-faint"],
  running: [LoaderCircle, "animate-spin-slow text-blue"],
  passed: [CircleCheck, "text-green"],
  asked: [Undo2, "text-amber"],
  failed: [CircleX, "text-red"],
  interrupted: [MessageCircle, "text-faint"],
  left_out: [CircleDashed, "text-faint"],
};

/** The looks at a run's work; kept in step by the socket. */
export const useSteps = (runId: string | undefined) =>
  useQuery({
    queryKey: keys.steps(runId ?? ""),
    queryFn: async () => (await api.steps(runId ?? "")).items,
    enabled: runId !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });

/** What the work passed of the pipeline, the latest time first. Nothing where there is no pipeline. */
export function Pipeline({ run }: { run: Run | undefined }) {
  const steps = useSteps(run?.id).data ?? [];
  const Heading = use(Level);
  if (steps.length === 0) return null;
  const rounds = [...new Set(steps.map((step) => step.round))].sort((a, b) => b - a);
  return (
    <section className="flex flex-col gap-2">
      <Heading className="font-semibold text-sm">{s.steps.heading}</Heading>
      <p className="text-faint text-xs">{s.steps.lead}</p>
      {rounds.map((round) => (
        <div key={round} className="flex flex-col gap-1">
          {rounds.length > 1 && <p className="mt-1 text-faint text-xs">{s.steps.round(round)}</p>}
          <ul className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
            {steps
              .filter((step) => step.round === round)
              .sort((a, b) => a.position - b.position || a.look - b.look)
              .map((step) => (
                <li key={step.number} className="border-line border-b last:border-b-0">
                  <One step={step} />
                </li>
              ))}
          </ul>
        </div>
      ))}
    </section>
  );
}

function One({ step }: { step: RunStep }) {
  const [chosen, setChosen] = useState<boolean | null>(null);
  const open = chosen ?? (step.status === "failed" || step.status === "asked");
  const [Icon, tone] = LOOK[step.status];
  return (
    <>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setChosen(!open)}
        className="-outline-offset-2 flex min-h-11 w-full items-center gap-2.5 px-3 py-1.5 text-left hover:bg-hover"
      >
        <Icon aria-hidden className={cn("size-4 shrink-0", tone)} />
        <span className="min-w-0 flex-1 truncate text-sm" title={step.name}>
          {step.name}
          {step.look > 1 && <span className="text-faint"> · {s.steps.look(step.look)}</span>}
        </span>
        <span className="num flex shrink-0 items-center gap-3 text-xs">
          <span className={cn("hidden @lg:inline", step.status === "failed" ? "text-red" : "text-muted")}>
            {STEP[step.status]}
          </span>
          <span className="sr-only @lg:hidden">{STEP[step.status]}</span>
          <span className="text-faint">
            {step.startedAt === null ? null : step.endedAt === null ? (
              <Elapsed since={step.startedAt} />
            ) : (
              duration(Date.parse(step.endedAt) - Date.parse(step.startedAt))
            )}
          </span>
        </span>
        <ChevronRight
          aria-hidden
          className={cn("size-4 shrink-0 text-faint transition-transform duration-100", open && "rotate-90")}
        />
      </button>
      {open && (
        <div className="flex flex-col gap-2 px-3 pb-3 text-sm">
          {step.word !== null && step.word !== "" && (
            <div>
              <p className="mb-0.5 text-faint text-xs">{s.steps.word}</p>
              <Markdown text={step.word} />
            </div>
          )}
          <div>
            <p className="mb-0.5 text-faint text-xs">
              {s.steps.instructions}
              {step.model !== null && <> · {step.model}</>}
            </p>
            <p className="whitespace-pre-wrap text-muted [overflow-wrap:anywhere]">{step.instructions}</p>
          </div>
        </div>
      )}
    </>
  );
}
