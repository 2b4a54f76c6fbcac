import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleStop, Workflow } from "lucide-react";
import { useState } from "react";
import { useMay } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { isOver, systemQueries } from "@/features/systems/api";
import { EndExecution } from "@/features/systems/end-execution";
import { s } from "../strings";

/** Of what works for a step of a system: the way to its execution, which alone decides about it, and to end that. */
export function OfExecution({ executionId }: { executionId: string }) {
  const mayRun = useMay("run");
  const execution = useQuery(systemQueries.execution(executionId)).data;
  const [asked, setAsked] = useState(false);
  return (
    <>
      <Button size="sm" render={<Link to="/executions/$executionId" params={{ executionId }} />}>
        <Workflow /> <span className="max-w-48 truncate">{execution?.name ?? s.header.execution}</span>
      </Button>
      {mayRun && execution !== undefined && !isOver(execution) && (
        <Button size="sm" onClick={() => setAsked(true)}>
          <CircleStop /> {s.header.endExecution}
        </Button>
      )}
      <EndExecution executionId={executionId} open={asked} onOpenChange={setAsked} />
    </>
  );
}
