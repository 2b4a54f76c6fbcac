import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { RotateCcw } from "lucide-react";
import { useState } from "react";
import { ApiError, asApiError } from "@/api/error";
import type { ExecutionView, System } from "@/api/types";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { systemQueries } from "./api";
import { RunDialog } from "./run-dialog";
import { w } from "./strings";

/** Runs the system of an execution once more: as it is now, with what it was given then. Not where it can no longer run. */
export function RunAgain({ execution }: { execution: ExecutionView }) {
  const client = useQueryClient();
  const query = systemQueries.system(execution.systemId);
  const { data, error } = useQuery(query);
  const [system, setSystem] = useState<System | null>(null);
  // What it asks for may have changed since, and so may whether it can run.
  const look = useMutation({
    mutationFn: async () => {
      const now = await client.fetchQuery(query);
      if (now.status !== "archived") return now;
      throw new ApiError({ status: 409, code: "archived", detail: w.runNot.archivedByOther });
    },
    onSuccess: setSystem,
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  const gone = error !== null && asApiError(error).status === 404;
  const canRun = data !== undefined && !gone && data.status !== "archived";
  return (
    <>
      {canRun && (
        <Button busy={look.isPending} onClick={() => look.mutate()}>
          <RotateCcw /> {w.execution.runAgain}
        </Button>
      )}
      {system && (
        <RunDialog
          id={system.id}
          name={system.name}
          schema={system.inputSchema ?? {}}
          draft={system.status === "draft"}
          given={{
            projectId: execution.projectId,
            input: (execution.input ?? {}) as Record<string, unknown>,
          }}
          onClose={() => setSystem(null)}
        />
      )}
    </>
  );
}
