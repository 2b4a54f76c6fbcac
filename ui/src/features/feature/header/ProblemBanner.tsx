import { Link } from "@tanstack/react-router";
import { CircleAlert, CirclePause, ShieldX } from "lucide-react";
import type { Feature } from "@/api/types";
import { Button } from "@/components/ui/button";
import { WithCode } from "@/components/with-code";
import { cn } from "@/lib/cn";
import { s } from "../strings";

/** Problems that a change under Settings mends. */
const IN_SETTINGS = [
  "invalid-key",
  "key-not-allowed",
  "no-credit",
  "no-key",
  "sealed-key",
  "no-such-model",
  "provider-unreachable",
  "not-a-provider",
  "cost-limit",
  "time-limit",
  "turn-limit",
];

/** Why the work stopped, and what helps. */
export function ProblemBanner({
  feature,
  mayBuild,
  onSeeChecks,
  onAskFix,
}: {
  feature: Feature;
  mayBuild: boolean;
  onSeeChecks: () => void;
  onAskFix: () => void;
}) {
  const { error, status } = feature;
  if (error === null || status === "completed" || status === "backlog") return null;
  const checks = error.code === "checks-failed";
  const calm = status === "paused" || status === "queued" || status === "in_progress";
  const Icon = checks ? ShieldX : calm ? CirclePause : CircleAlert;
  const title = checks ? s.problem.checks : status === "paused" ? s.problem.paused : s.problem.failed;
  return (
    <section
      aria-label={s.problem.label}
      className={cn(
        "flex gap-2.5 rounded-lg px-3 py-2 text-sm",
        calm ? "bg-grey-soft" : checks ? "bg-amber-soft" : "bg-red-soft",
      )}
    >
      <Icon
        aria-hidden
        className={cn("mt-0.5 size-4 shrink-0", calm ? "text-muted" : checks ? "text-amber" : "text-red")}
      />
      <div className="flex min-w-0 flex-1 flex-col gap-x-4 gap-y-1.5 @2xl:flex-row @2xl:items-center">
        <div className="min-w-0 flex-1">
          <p className="[overflow-wrap:anywhere]">
            <span className="font-medium">{title}.</span> <WithCode text={error.message} />
          </p>
          {error.hint !== "" && (
            <p className={cn("text-muted text-xs [overflow-wrap:anywhere]", checks && "hidden @md:block")}>
              <WithCode text={error.hint} />
            </p>
          )}
        </div>
        <div className="flex shrink-0 flex-wrap gap-1.5 empty:hidden">
          {checks && (
            <Button size="sm" onClick={onSeeChecks}>
              {s.problem.seeOutput}
            </Button>
          )}
          {checks && mayBuild && (
            <Button size="sm" onClick={onAskFix}>
              {s.problem.askFix}
            </Button>
          )}
          {IN_SETTINGS.includes(error.code) && (
            <Button size="sm" render={<Link to="/settings" />}>
              {s.problem.toSettings}
            </Button>
          )}
        </div>
      </div>
    </section>
  );
}
