import { ListTodo } from "lucide-react";
import { use, useState } from "react";
import { isLost } from "@/api/error";
import { useMembers } from "@/api/queries";
import type { Feature, Plan, Run } from "@/api/types";
import { Markdown } from "@/components/markdown";
import { Empty, ErrorState } from "@/components/state";
import { Badge, type Tone } from "@/components/ui/badge";
import { planWaits } from "@/features/actions";
import { cn } from "@/lib/cn";
import { Time } from "@/lib/time";
import { Level } from "../level";
import { TaskList } from "../live/Plan";
import { TimelineSkeleton } from "../Skeletons";
import { Compare } from "./Compare";
import { Decide } from "./Decide";
import { usePlans } from "./decide";
import { p } from "./strings";

const TONE: Record<Plan["status"], Tone> = {
  proposed: "amber",
  approved: "green",
  rejected: "red",
  adopted: "blue",
  superseded: "grey",
};

/** The plan of the latest run: every version, what changed between two, who decided, and the decision itself. */
export function PlanTab({ feature, run, mayBuild }: { feature: Feature; run: Run; mayBuild: boolean }) {
  const plans = usePlans(feature.id, run.id);
  const [chosen, choose] = useState<number | null>(null);
  const [comparing, setComparing] = useState(false);
  const Heading = use(Level);
  if (plans.isPending) return <TimelineSkeleton />;
  if (isLost(plans)) return <ErrorState error={plans.error} onRetry={() => void plans.refetch()} />;
  const latest = plans.data[0];
  if (latest === undefined && run.plan.length > 0) {
    return (
      <section aria-label={p.tasks} className="h-full overflow-y-auto px-4 py-3 scroll-thin">
        <div className="mx-auto max-w-3xl">
          <p className="mb-3 text-faint text-xs">{p.tasksOnly}</p>
          <TaskList tasks={run.plan} />
        </div>
      </section>
    );
  }
  if (latest === undefined) {
    return (
      <Empty icon={<ListTodo />} title={p.none}>
        {p.noneText}
      </Empty>
    );
  }
  const plan = plans.data.find((entry) => entry.version === chosen) ?? latest;
  const before = plans.data.find((entry) => entry.version === plan.version - 1);
  const waits = planWaits(feature) && latest.status === "proposed";
  // The tasks of the approved plan are the run's, ticked as they are done.
  const tasks =
    plan === latest && (plan.status === "approved" || plan.status === "adopted") && run.plan.length > 0
      ? run.plan
      : plan.tasks.map((task) => ({ ...task, status: "pending" as const }));
  return (
    <div className="flex h-full min-h-0 flex-col short:block short:overflow-y-auto">
      {plans.data.length > 1 && (
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-line border-b px-4 py-1.5 text-xs">
          {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would bring a frame of its own */}
          <div role="group" aria-label={p.versions} className="flex flex-wrap gap-1">
            {plans.data.toReversed().map((entry) => (
              <button
                key={entry.version}
                type="button"
                aria-pressed={entry === plan}
                title={p.status[entry.status]}
                onClick={() => choose(entry === latest ? null : entry.version)}
                className={cn(
                  "h-6 rounded-md px-2 text-muted hover:bg-hover hover:text-ink",
                  entry === plan && "bg-selected font-medium text-ink",
                )}
              >
                {p.version(entry.version)}
              </button>
            ))}
          </div>
          {before && (
            <label className="ml-auto flex items-center gap-1.5 text-muted">
              <input
                type="checkbox"
                checked={comparing}
                onChange={(event) => setComparing(event.target.checked)}
                className="size-3.5 accent-accent"
              />
              {p.compare(before.version)}
            </label>
          )}
        </div>
      )}
      <section
        aria-label={p.version(plan.version)}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        className="-outline-offset-2 min-h-0 flex-1 overflow-y-auto px-4 py-3 scroll-thin short:overflow-visible"
      >
        <div className="mx-auto max-w-3xl">
          <Fate plan={plan} />
          {comparing && before ? (
            <Compare before={before} after={plan} />
          ) : (
            <>
              <Markdown text={plan.text} className="text-sm" />
              <Heading className="mt-4 mb-1 font-semibold text-sm">{p.tasks}</Heading>
              <TaskList tasks={tasks} />
            </>
          )}
        </div>
      </section>
      {waits && plan === latest ? (
        <Decide key={latest.version} feature={feature} plan={latest} mayBuild={mayBuild} />
      ) : (
        run.approval === "awaited" &&
        !planWaits(feature) &&
        feature.status === "in_progress" && (
          <p className="border-line border-t px-4 py-2.5 text-faint text-xs">{p.busy}</p>
        )
      )}
    </div>
  );
}

/** What became of a version, by whom and when. */
function Fate({ plan }: { plan: Plan }) {
  const members = useMembers().data;
  const name = members?.find((member) => member.id === plan.decidedBy)?.name ?? p.somebody;
  const by =
    plan.status === "rejected"
      ? p.by.rejected
      : plan.status === "approved"
        ? plan.writtenBy === null
          ? p.by.approved
          : p.by.changed
        : null;
  return (
    <div className="mb-3 flex flex-col gap-2">
      <p className="flex flex-wrap items-center gap-2 text-faint text-xs">
        <Badge tone={TONE[plan.status]}>{p.status[plan.status]}</Badge>
        <span>{p.version(plan.version)}</span>
        {by !== null && plan.decidedBy !== null ? (
          <span>
            {by} {name}, <Time at={plan.decidedAt ?? plan.createdAt} />
          </span>
        ) : (
          <Time at={plan.createdAt} />
        )}
      </p>
      {plan.feedback !== null && (
        <div className="rounded-lg border border-line bg-sunken px-3 py-2 text-sm">
          <p className="mb-0.5 text-faint text-xs">{p.why}</p>
          <Markdown text={plan.feedback} />
        </div>
      )}
    </div>
  );
}
