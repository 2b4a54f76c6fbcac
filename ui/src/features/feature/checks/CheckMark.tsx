import { CircleCheck, CircleX, LoaderCircle } from "lucide-react";
import { useMemo } from "react";
import { useChecks } from "@/api/queries";
import type { Run } from "@/api/types";
import { s } from "../strings";
import { roundsOf } from "./rounds";

/** How the latest round of checks stands, as a sign. */
export function CheckMark({ run }: { run: Run | undefined }) {
  const checks = useChecks(run?.id).data;
  const latest = useMemo(() => roundsOf(checks ?? [])[0], [checks]);
  if (latest === undefined) return null;
  if (latest.checks.some((check) => check.status === "running")) {
    return <LoaderCircle aria-label={s.checks.running} className="size-3.5 animate-spin-slow text-blue" />;
  }
  return latest.checks.some((check) => check.status === "failed") ? (
    <CircleX aria-label={s.checks.failed} className="size-3.5 text-red" />
  ) : (
    <CircleCheck aria-label={s.checks.passed} className="size-3.5 text-green" />
  );
}
