import {
  CircleCheckBig,
  CircleDashed,
  CircleDot,
  CirclePause,
  CircleX,
  Eye,
  GitMerge,
  Hourglass,
  LoaderCircle,
  type LucideIcon,
} from "lucide-react";
import type { FeatureStatus, Stage } from "@/api/types";
import { cn } from "@/lib/cn";
import * as words from "@/strings";
import { Badge, type Tone } from "./ui/badge";

const LOOK: Record<FeatureStatus, { icon: LucideIcon; tone: Tone; text: string }> = {
  backlog: { icon: CircleDashed, tone: "grey", text: "text-faint" },
  queued: { icon: Hourglass, tone: "blue", text: "text-blue" },
  in_progress: { icon: LoaderCircle, tone: "blue", text: "text-blue" },
  waiting_approval: { icon: Eye, tone: "amber", text: "text-amber" },
  verified: { icon: CircleCheckBig, tone: "green", text: "text-green" },
  completed: { icon: GitMerge, tone: "violet", text: "text-violet" },
  failed: { icon: CircleX, tone: "red", text: "text-red" },
  paused: { icon: CirclePause, tone: "grey", text: "text-muted" },
};

/** The sign of a status. It turns while an agent works. */
export function StatusIcon({ status, className }: { status: FeatureStatus; className?: string }) {
  const { icon: Icon, text } = LOOK[status] ?? { icon: CircleDot, text: "text-faint" };
  return (
    <Icon
      aria-hidden
      className={cn("size-4 shrink-0", text, status === "in_progress" && "animate-spin-slow", className)}
    />
  );
}

/** A status in words, with the stage while it is in progress. */
export function StatusBadge({
  status,
  stage,
  className,
}: {
  status: FeatureStatus;
  stage?: Stage | null;
  className?: string;
}) {
  // A plan to approve waits for a person as finished work does.
  const look = status === "in_progress" && stage === "plan_approval" ? "waiting_approval" : status;
  return (
    <Badge tone={LOOK[look].tone} {...(className === undefined ? {} : { className })}>
      <StatusIcon status={look} className="size-3" />
      {status === "in_progress" && stage ? words.stage(stage) : words.status[status]}
    </Badge>
  );
}
