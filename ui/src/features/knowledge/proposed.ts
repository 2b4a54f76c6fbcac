import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { api } from "@/api/calls";
import { useMay } from "@/api/queries";
import { onKnowledge } from "@/live/knowledge";

const TOGETHER_MS = 200;
const KEY = ["knowledge", "proposed"] as const;

/** How many learnings wait for a member; none for who may not decide. */
export function useProposed(): number {
  const client = useQueryClient();
  const mayWrite = useMay("knowledge");
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = onKnowledge(({ type }) => {
      if (!type.startsWith("knowledge.learning.")) return;
      // Of many changes at once only one asks.
      timer ??= setTimeout(() => {
        timer = undefined;
        void client.invalidateQueries({ queryKey: KEY });
      }, TOGETHER_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [client]);
  const count = useQuery({
    queryKey: KEY,
    queryFn: async () => (await api.proposedLearnings()).items.length,
    enabled: mayWrite,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return count.data ?? 0;
}
