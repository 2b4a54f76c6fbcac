import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { Plan, PlannedTask } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { putFeature, putRun } from "@/live/apply";
import { broughtSince, rememberFeature } from "@/live/recent";
import { p } from "./strings";

/** What a member decides about a version of a plan. */
export type Decision =
  | { kind: "approve"; version: number; text?: string; tasks?: PlannedTask[] }
  | { kind: "reject"; version: number; feedback: string };

/** The versions of the plan of a run, the latest first. */
export function usePlans(featureId: string, runId: string | null) {
  return useQuery({
    queryKey: keys.plans(featureId),
    queryFn: async () => (await api.plans(featureId)).items,
    staleTime: Number.POSITIVE_INFINITY,
    select: (all: Plan[]) => all.filter((plan) => plan.runId === runId),
  });
}

/** Tells the server what was decided: `mutate(decision)`. */
export function useDecide(featureId: string) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["feature", "decide", featureId],
    mutationFn: async (decision: Decision) => {
      const began = performance.now();
      const { kind, ...body } = decision;
      const { feature, run } =
        kind === "approve"
          ? await api.approvePlan(featureId, body)
          : await api.rejectPlan(featureId, { ...body, feedback: decision.feedback });
      rememberFeature(feature);
      putFeature(client, feature);
      if (broughtSince("run", run.id, began) === undefined) putRun(client, run);
      return kind;
    },
    onSuccess: (kind) => toast.done(kind === "approve" ? p.approved : p.sentBack),
    onError: (error) => toast.error(undefined, asApiError(error)),
    // Whoever was late sees what was decided.
    onSettled: () => client.invalidateQueries({ queryKey: keys.plans(featureId) }),
  });
}

/** Tasks as lines of a text, and back. */
export const linesOfTasks = (tasks: readonly PlannedTask[]) => tasks.map((task) => task.title).join("\n");
export const tasksOfLines = (lines: string): PlannedTask[] =>
  lines
    .split("\n")
    .map((line) => line.replace(/^\s*(?:[-*]|\d+[.)])\s+/, "").trim())
    .filter((title) => title !== "")
    .map((title) => ({ title }));
