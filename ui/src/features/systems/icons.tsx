import {
  Ban,
  Bot,
  CircleCheck,
  CircleDashed,
  CircleX,
  Clock,
  Columns3,
  GitFork,
  Hand,
  ListOrdered,
  LoaderCircle,
  Repeat,
  Timer,
  UserCheck,
  Wand,
} from "lucide-react";
import type { ReactNode } from "react";
import type { ExecutionStatus, StepKind } from "@/api/types";
import { Badge, type Tone } from "@/components/ui/badge";
import { cn } from "@/lib/cn";
import { executionStatus, type Standing, stepStatus } from "./strings";

const KINDS: Record<StepKind, ReactNode> = {
  agent: <Bot />,
  human_review: <UserCheck />,
  conditional: <GitFork />,
  parallel: <Columns3 />,
  sequential: <ListOrdered />,
  loop: <Repeat />,
  transform: <Wand />,
};

export const KindIcon = ({ kind, className }: { kind: StepKind; className?: string }) => (
  <span aria-hidden className={cn("shrink-0 [&_svg]:size-4", className)}>
    {KINDS[kind]}
  </span>
);

/** How a step stands: told by colour and by sign. */
const SIGNS: Record<Standing, { icon: ReactNode; tone: Tone; ring: string }> = {
  none: { icon: <CircleDashed />, tone: "grey", ring: "" },
  queued: { icon: <Clock />, tone: "blue", ring: "border-blue" },
  running: { icon: <LoaderCircle className="animate-spin-slow" />, tone: "blue", ring: "border-blue" },
  waiting: { icon: <Hand />, tone: "amber", ring: "border-amber" },
  retrying: { icon: <Timer />, tone: "violet", ring: "border-violet" },
  completed: { icon: <CircleCheck />, tone: "green", ring: "border-green" },
  failed: { icon: <CircleX />, tone: "red", ring: "border-red" },
  cancelled: { icon: <Ban />, tone: "grey", ring: "border-faint" },
};

export const ringOf = (standing: Standing) => SIGNS[standing].ring;

export const StepBadge = ({ standing }: { standing: Standing }) => (
  <Badge tone={SIGNS[standing].tone}>
    <span aria-hidden>{SIGNS[standing].icon}</span>
    {stepStatus[standing]}
  </Badge>
);

const EXECUTIONS: Record<ExecutionStatus, { icon: ReactNode; tone: Tone }> = {
  pending: { icon: <Clock />, tone: "grey" },
  running: SIGNS.running,
  waiting: SIGNS.waiting,
  completed: SIGNS.completed,
  failed: SIGNS.failed,
  cancelled: SIGNS.cancelled,
};

export const ExecutionBadge = ({ status }: { status: ExecutionStatus }) => (
  <Badge tone={EXECUTIONS[status].tone}>
    <span aria-hidden>{EXECUTIONS[status].icon}</span>
    {executionStatus[status]}
  </Badge>
);
