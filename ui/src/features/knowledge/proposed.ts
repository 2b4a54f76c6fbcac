import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { api } from "@/api/calls";
import { useMay } from "@/api/queries";
import { onKnowledge } from "@/live/knowledge";

const TOGETHER_MS = 200;
const KEY = ["knowledge", "proposed"] as const;

/** More are not told apart by who reads the number. */
const MOST = 1_000;

/** How many wait: page by page, up to where the number says no more. */
async function count(): Promise<number> {
  let [found, after] = [0, undefined as string | undefined];
  do {
    const page = await api.proposedLearnings(after);
    found += page.items.length;
    after = page.next ?? undefined;
  } while (after !== undefined && found < MOST);
  return found;
}

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
  const waiting = useQuery({
    queryKey: KEY,
    queryFn: count,
    enabled: mayWrite,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return waiting.data ?? 0;
}
