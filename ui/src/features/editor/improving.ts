import { useMutation, useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useRun } from "@/api/queries";
import type { Enhancement, TaskState } from "@/api/types";

/** What can be made of a description, and how the menu calls it. */
export const KINDS: readonly [Enhancement, string][] = [
  ["improve", "Say it more clearly"],
  ["technical", "Add technical notes"],
  ["simplify", "Make it shorter and plainer"],
  ["acceptance_criteria", "Add acceptance criteria"],
];

const isLive = (task: TaskState | undefined) =>
  task !== undefined && (task.status === "queued" || task.status === "running");

/** A suggestion as a model gives it: without the fence that some put around it. */
export function suggestionOf(result: string): string {
  const text = result.trim();
  const fence = /^(`{3,})(?:markdown|md)?\n([\s\S]*)\n\1$/.exec(text);
  return (fence?.[2]?.includes(fence[1] ?? "```") ? text : (fence?.[2] ?? text)).trim();
}

const stop = (id: string) => void api.stop(id).catch(() => {});

/** Asks for a suggestion, and waits for it; there is one at a time. It is stopped when nobody waits any more. */
export function useImproving(projectId: string) {
  const [of, setOf] = useState<string | null>(null);
  const going = useRef<string | null>(null);
  // Which question it is that somebody waits for.
  const waitedFor = useRef(0);
  const ask = useMutation({
    mutationFn: async ({ kind, title, text }: { kind: Enhancement; title: string; text: string }) => {
      setOf(text);
      waitedFor.current += 1;
      const mine = waitedFor.current;
      const titled = title.trim() === "" ? {} : { title };
      const task = await api.enhance(projectId, { kind, description: text, ...titled });
      // It was asked before one could say which to stop.
      if (mine !== waitedFor.current) stop(task.featureId);
      else if (isLive(task)) going.current = task.featureId;
      return task;
    },
  });
  const id = ask.data?.featureId;
  const waited = useQuery({
    queryKey: keys.enhancing(id ?? ""),
    queryFn: () => api.task(id ?? ""),
    enabled: id !== undefined,
    refetchInterval: (query) => (isLive(query.state.data ?? ask.data) ? 1_000 : false),
    gcTime: 0,
  });
  const task = id === undefined ? undefined : (waited.data ?? ask.data);
  const live = ask.isPending || isLive(task);
  const run = useRun(isLive(task) ? task?.runId : undefined).data;

  useEffect(() => {
    going.current = isLive(task) ? (task?.featureId ?? null) : null;
  }, [task]);
  useEffect(
    () => () => {
      waitedFor.current += 1;
      if (going.current !== null) stop(going.current);
    },
    [],
  );
  const failed = ask.error ?? (task === undefined ? waited.error : null);
  return {
    ask: ask.mutate,
    /** Whether it is under way, and why it waits, if it does. */
    live,
    waits: run?.parkedReason ?? null,
    /** The text that it is made of, and the suggestion. */
    of,
    made: task?.result == null ? null : suggestionOf(task.result),
    error: failed === null ? null : asApiError(failed),
    /** Why the model's work came to nothing. */
    why:
      task !== undefined && !live && task.result == null ? (task.error?.message ?? "It was stopped.") : null,
    drop: () => {
      waitedFor.current += 1;
      if (going.current !== null) stop(going.current);
      going.current = null;
      ask.reset();
      setOf(null);
    },
  };
}
