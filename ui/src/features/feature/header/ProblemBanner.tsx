import { Link } from "@tanstack/react-router";
import { CircleAlert, CirclePause, ShieldX } from "lucide-react";
import type { Feature } from "@/api/types";
import { Button } from "@/components/ui/button";
import { WithCode } from "@/components/with-code";
import { keyProblem } from "@/features/settings/keys/problem";
import { cn } from "@/lib/cn";
import { sentence } from "@/lib/format";
import { s } from "../strings";

/** Problems that a change under Settings mends. */
const IN_SETTINGS: Record<string, "keys" | "limits"> = {
  "no-such-model": "keys",
  "provider-unreachable": "keys",
  "not-a-provider": "keys",
  "cost-limit": "limits",
  "time-limit": "limits",
  "turn-limit": "limits",
};

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
  const aboutKey = keyProblem(error.code);
  const place = aboutKey === null ? IN_SETTINGS[error.code] : "keys";
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
          <p dir="auto" className="[overflow-wrap:anywhere]">
            <span className="font-medium">{title}.</span> <WithCode text={sentence(error.message)} />
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
          {place !== undefined && (
            <Button size="sm" render={<Link to="/settings" hash={place} />}>
              {aboutKey ?? s.problem.toSettings}
            </Button>
          )}
        </div>
      </div>
    </section>
  );
}
