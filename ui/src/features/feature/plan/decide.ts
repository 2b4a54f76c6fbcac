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

/** Tells the server what was decided: `mutate(decision)`. `onDecided` is called then, whatever is shown by that time. */
export function useDecide(featureId: string, onDecided: () => void) {
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
    onSuccess: (kind) => {
      onDecided();
      toast.done(kind === "approve" ? p.approved : p.sentBack);
    },
    onError: (error) => toast.error(undefined, asApiError(error)),
    // Whoever was late sees what was decided.
    onSettled: () => client.invalidateQueries({ queryKey: keys.plans(featureId) }),
  });
}

/** Tasks as lines of a text, and back; a line that begins with # names the phase of those below it. */
export const linesOfTasks = (tasks: readonly PlannedTask[]) =>
  tasks
    .flatMap((task, at) =>
      task.phase === undefined || task.phase === tasks[at - 1]?.phase
        ? [task.title]
        : [`# ${task.phase}`, task.title],
    )
    .join("\n");
export function tasksOfLines(lines: string): PlannedTask[] {
  let phase: string | undefined;
  return lines.split("\n").flatMap((line): PlannedTask[] => {
    const heading = /^\s*#+\s*(.*)$/.exec(line);
    if (heading) {
      phase = heading[1]?.trim() || undefined;
      return [];
    }
    const title = line.replace(/^\s*(?:[-*]|\d+[.)])\s+/, "").trim();
    if (title === "") return [];
    return [phase === undefined ? { title } : { title, phase }];
  });
}
