import { useQuery } from "@tanstack/react-query";
import { useMay } from "@/api/queries";
import { hubQueries } from "./queries";

/** Whether the member may roll back what a run's agent recorded; the server says so. */
export function useMayRollBack(runId: string | null): boolean {
  const mayWrite = useMay("knowledge");
  const known = useQuery({ ...hubQueries.ofRun(runId ?? ""), enabled: mayWrite && runId !== null });
  return known.data?.mayRollBack ?? false;
}
