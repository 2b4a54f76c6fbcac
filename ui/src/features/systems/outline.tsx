import { ChevronDown, ChevronUp, CircleAlert, Trash2 } from "lucide-react";
import type { Step } from "@/api/types";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { KindIcon, StepBadge } from "./icons";
import { type Branch, branchesOf, within } from "./model";
import { kinds, type Standing, w } from "./strings";

interface Shown {
  chosen: string | null;
  onChoose: (id: string) => void;
  standing?: ((id: string) => Standing) | undefined;
  problems?: ((id: string) => number) | undefined;
  onMove?: ((id: string, by: 1 | -1) => void) | undefined;
  onRemove?: ((id: string) => void) | undefined;
}

/** The steps of a system as a list within lists: the same as the picture, for narrow screens and for who prefers it. */
export function Outline({ steps, label, ...shown }: { steps: readonly Step[]; label: string } & Shown) {
  return (
    <section aria-label={label} className="p-3">
      <Level steps={steps} shown={shown} />
    </section>
  );
}

function Level({ steps, shown }: { steps: readonly Step[]; shown: Shown }) {
  if (steps.length === 0) return <p className="px-2 py-1 text-faint text-sm">{w.nothingHere}</p>;
  return (
    <ol className="flex flex-col gap-1.5">
      {steps.map((step, at) => (
        <li key={step.id}>
          <Row step={step} first={at === 0} last={at === steps.length - 1} shown={shown} />
          {branchesOf(step.type).map((branch) => (
            <Inner key={branch} step={step} branch={branch} shown={shown} />
          ))}
        </li>
      ))}
    </ol>
  );
}

function Inner({ step, branch, shown }: { step: Step; branch: Branch; shown: Shown }) {
  const inner = within(step, branch);
  if (step.type === "human_review" && inner.length === 0) return null;
  const heading =
    branch === "trueBranch"
      ? w.holds
      : branch === "falseBranch"
        ? w.otherwise
        : step.type === "human_review"
          ? w.sentBack
          : null;
  return (
    <div className="mt-1.5 ml-4 border-line border-l pl-3">
      {heading && <p className="pb-1 text-muted text-xs">{heading}</p>}
      <Level steps={inner} shown={shown} />
    </div>
  );
}

function Row({ step, first, last, shown }: { step: Step; first: boolean; last: boolean; shown: Shown }) {
  const { chosen, onChoose, standing, problems, onMove, onRemove } = shown;
  const state = standing?.(step.id);
  const wrong = problems?.(step.id) ?? 0;
  return (
    <div
      className={cn(
        "flex items-center gap-1 rounded-lg border border-line bg-surface pr-1",
        chosen === step.id && "border-ring",
        wrong > 0 && "border-red",
      )}
    >
      <button
        type="button"
        aria-pressed={chosen === step.id}
        onClick={() => onChoose(step.id)}
        className="flex min-w-0 flex-1 items-center gap-2 rounded-lg px-2.5 py-2 text-left hover:bg-hover"
      >
        <KindIcon kind={step.type} className="text-faint" />
        <span className="min-w-0 flex-1">
          <span className="block truncate font-medium text-sm">{step.name}</span>
          <span className="block truncate text-faint text-xs">{kinds[step.type].label}</span>
        </span>
        {wrong > 0 && (
          <span className="flex items-center gap-1 text-red text-xs">
            <CircleAlert aria-hidden className="size-3.5" /> {w.problems(wrong)}
          </span>
        )}
        {state && state !== "none" && <StepBadge standing={state} />}
      </button>
      {onMove && (
        <>
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label={w.up(step.name)}
            disabled={first}
            onClick={() => onMove(step.id, -1)}
          >
            <ChevronUp />
          </Button>
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label={w.down(step.name)}
            disabled={last}
            onClick={() => onMove(step.id, 1)}
          >
            <ChevronDown />
          </Button>
        </>
      )}
      {onRemove && (
        <Button
          variant="ghost"
          size="icon-sm"
          aria-label={`${w.removeStep}: ${step.name}`}
          onClick={() => onRemove(step.id)}
        >
          <Trash2 />
        </Button>
      )}
    </div>
  );
}
