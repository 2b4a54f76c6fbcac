import type { SandboxReport } from "@/api/types";

/** How it stands: commands are kept apart, run as they are because the operator wrote so, or do not run at all. */
export type Standing = "apart" | "none" | "broken";

export function standing(report: SandboxReport): Standing {
  if (!report.usable) return "broken";
  return report.isolation === "none" ? "none" : "apart";
}

/** What is wrong first, in the server's words, as a sentence. */
export const firstGap = (report: SandboxReport) =>
  report.findings.find((finding) => !finding.ok)?.detail.replace(/[^.!?]$/, "$&.");
