import { Play } from "lucide-react";
import { useId } from "react";
import { Button } from "@/components/ui/button";
import { Tooltip } from "@/components/ui/tooltip";
import { w } from "./strings";

/** Runs a system, after it was saved where that is needed. Where it cannot run, the button stays in reach and says why. */
export function RunButton({
  dirty,
  busy,
  not,
  onRun,
}: {
  dirty: boolean;
  busy: boolean;
  /** Why it cannot run. */
  not: string | null;
  onRun: () => void;
}) {
  const why = useId();
  return (
    <>
      <Tooltip text={not}>
        <Button
          variant="primary"
          busy={busy}
          {...(not === null ? {} : { "aria-disabled": true, "aria-describedby": why })}
          onClick={() => not === null && onRun()}
        >
          <Play /> {dirty ? w.saveAndRun : w.run}
        </Button>
      </Tooltip>
      {not !== null && (
        <span id={why} className="sr-only">
          {not}
        </span>
      )}
    </>
  );
}
