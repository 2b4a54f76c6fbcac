import {
  Check,
  CircleAlert,
  CircleStop,
  Hourglass,
  Info,
  Layers,
  ListTodo,
  Play,
  Undo2,
  Workflow,
} from "lucide-react";
import type { ReactNode } from "react";
import { useMembers } from "@/api/queries";
import { Markdown } from "@/components/markdown";
import { WithCode } from "@/components/with-code";
import { cn } from "@/lib/cn";
import { clock, count, exactTime, timeOfDay } from "@/lib/format";
import { useSecond } from "@/lib/time";
import { useModelName } from "../header/Facts";
import { s } from "../strings";
import { Fold } from "./Fold";
import type { Item } from "./timeline";

type Of<K extends Item["kind"]> = Extract<Item, { kind: K }>;

/** A quiet line across, for what is neither said nor done by the agent. */
function Across({
  icon,
  tone = "text-faint",
  at,
  children,
}: {
  icon: ReactNode;
  tone?: string;
  at: string;
  children: ReactNode;
}) {
  return (
    <div className={cn("flex items-center gap-2.5 py-2 text-xs [&_svg]:size-3.5 [&_svg]:shrink-0", tone)}>
      {icon}
      <span className="min-w-0 [overflow-wrap:anywhere]">{children}</span>
      <span aria-hidden className="h-px min-w-4 flex-1 bg-line" />
      <time dateTime={at} title={exactTime(at)} className="num shrink-0 text-faint">
        {timeOfDay(at)}
      </time>
    </div>
  );
}

export function Started({ item }: { item: Of<"started"> }) {
  const model = useModelName(item.model) ?? item.model;
  return (
    <Across icon={<Play />} at={item.at}>
      {item.resumed ? s.live.resumedWith(model) : s.live.startedWith(model)}
      {/* Its name says of a simulated one that it needs no key. */}
      {item.keySource !== "simulated" && ` · ${s.live.keys[item.keySource]}`}
    </Across>
  );
}

export function Ended({
  item,
  shownAbove,
}: {
  item: Of<"ended">;
  /** The problem that the head of the view shows already. */
  shownAbove: string | undefined;
}) {
  const failed = item.status === "failed";
  const icon = failed ? <CircleAlert /> : item.status === "waiting" ? <Check /> : <CircleStop />;
  const tone = failed ? "text-red" : item.status === "waiting" ? "text-green" : "text-muted";
  return (
    <>
      <Across icon={icon} tone={tone} at={item.at}>
        {s.live.ended[item.status]}
      </Across>
      {item.problem && failed && item.problem.message !== shownAbove && (
        <div className="mb-2 rounded-lg bg-red-soft px-3 py-2 text-sm">
          <p className="[overflow-wrap:anywhere]">
            <WithCode text={item.problem.message} />
          </p>
          {item.problem.hint !== "" && (
            <p className="text-muted text-xs">
              <WithCode text={item.problem.hint} />
            </p>
          )}
        </div>
      )}
    </>
  );
}

const DAY = 24 * 60 * 60 * 1000;

export function Waiting({ item }: { item: Of<"waiting"> }) {
  // A wait for a budget may be for days, or until somebody ends it: the reason says so, a time of day would not.
  const long = Date.parse(item.until) - Date.parse(item.at) > DAY;
  return (
    <Across icon={<Hourglass />} tone={item.over ? "text-faint" : "text-amber"} at={item.at}>
      {item.reason.replace(/\.$/, "")}
      {!long && " · "}
      {!long &&
        (item.over ? (
          s.live.waited(timeOfDay(item.until))
        ) : (
          <>
            {s.live.waits(timeOfDay(item.until))} <Countdown until={item.until} />
          </>
        ))}
    </Across>
  );
}

/** What is left until then, while anything is. */
export function Countdown({ until }: { until: string }) {
  const left = Date.parse(until) - useSecond();
  return left > 0 ? <span className="num">({clock(left)})</span> : null;
}

export function Note({ item }: { item: Of<"note"> }) {
  return (
    <Across icon={<Info />} at={item.at}>
      <WithCode text={item.text} />
    </Across>
  );
}

export function PlanDecided({ item }: { item: Of<"plan_decided"> }) {
  const members = useMembers().data;
  const name = members?.find((member) => member.id === item.memberId)?.name ?? s.plan.somebody;
  const words = item.approved ? (item.changed ? s.plan.changed : s.plan.approved) : s.plan.rejected;
  return (
    <>
      <Across
        icon={item.approved ? <Check /> : <Undo2 />}
        tone={item.approved ? "text-green" : "text-amber"}
        at={item.at}
      >
        {words(name, item.version)}
      </Across>
      {item.feedback !== null && (
        <div className="mb-2 rounded-lg bg-sunken px-3 py-2 text-sm">
          <Markdown text={item.feedback} />
        </div>
      )}
    </>
  );
}

export function PlanAdopted({ item }: { item: Of<"plan_adopted"> }) {
  return (
    <Across icon={<ListTodo />} at={item.at}>
      {s.plan.adopted(item.version)}
    </Across>
  );
}

/** Where the turns of a step of the pipeline begin, or go on. */
export function StepStarted({ item }: { item: Of<"step_started"> }) {
  const model = useModelName(item.model) ?? item.model;
  return (
    <Across icon={<Workflow />} tone="text-accent-text" at={item.at}>
      <strong className="font-medium">{s.steps.started(item.name, item.look, item.resumed)}</strong>
      {" · "}
      {model}
    </Across>
  );
}

const STEP_TONE: Partial<Record<Of<"step_ended">["status"], string>> = {
  passed: "text-green",
  asked: "text-amber",
  failed: "text-red",
};

/** Where they end, and what came of the step. */
export function StepEnded({ item }: { item: Of<"step_ended"> }) {
  const Icon = item.status === "passed" ? Check : item.status === "failed" ? CircleAlert : Undo2;
  return (
    <>
      <Across icon={<Icon />} tone={STEP_TONE[item.status] ?? "text-faint"} at={item.at}>
        {s.steps.ended(item.name, item.status)}
      </Across>
      {/* The closing words of one that passed are what its agent said last. */}
      {item.word !== null && item.status !== "passed" && (
        <div
          className={cn(
            "mb-2 rounded-lg px-3 py-2 text-sm",
            item.status === "failed" ? "bg-red-soft" : "bg-sunken",
          )}
        >
          <Markdown text={item.word} />
        </div>
      )}
    </>
  );
}

export function Compacted({
  item,
  open,
  onToggle,
}: {
  item: Of<"compacted">;
  open: boolean;
  onToggle: () => void;
}) {
  return (
    <Fold
      open={open}
      onToggle={onToggle}
      line={
        <>
          <Layers aria-hidden className="size-3.5 shrink-0 text-faint" />
          <span className="text-faint text-xs">{s.live.compacted(count(item.beforeTokens))}</span>
        </>
      }
    >
      <Markdown text={item.summary} className="text-muted text-sm" />
    </Fold>
  );
}
