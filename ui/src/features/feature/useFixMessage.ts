import { useQueryClient } from "@tanstack/react-query";
import { queries } from "@/api/queries";
import type { Feature } from "@/api/types";
import { parseTerminal } from "./lib/ansi";
import { s } from "./strings";

/** Lines of a failed check that are quoted to the agent. */
const QUOTED = 30;

/** Makes what a member would say to have a failed check mended. */
export function useFixMessage(feature: Feature): () => Promise<string> {
  const client = useQueryClient();
  return async () => {
    if (feature.runId === null) return s.problem.fixPlain;
    const checks = await client.fetchQuery(queries.checks(feature.runId)).catch(() => []);
    const failed = checks.find((check) => check.status === "failed");
    if (failed === undefined) return s.problem.fixPlain;
    const lines = parseTerminal(failed.output.trimEnd()).map((line) => line.text);
    return s.problem.fixMessage(failed.command, lines.slice(-QUOTED).join("\n"));
  };
}
