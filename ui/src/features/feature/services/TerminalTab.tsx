import { SquareTerminal } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import type { Run } from "@/api/types";
import { Empty } from "@/components/state";
import { Button } from "@/components/ui/button";
import { hasWorktree, useMayEnter } from "./queries";
import { w } from "./strings";

// The terminal itself is large, and opened by few: fetched when somebody asks for it.
const Shell = lazy(() => import("./Shell").then((module) => ({ default: module.Shell })));

/** A shell in the worktree of a run, for who started it and for admins. */
export function TerminalTab({ run }: { run: Run | undefined }) {
  const mayEnter = useMayEnter(run);
  const [sitting, setSitting] = useState(0);

  if (!hasWorktree(run))
    return (
      <Empty icon={<SquareTerminal />} title={w.none}>
        {w.noneText}
      </Empty>
    );
  if (!mayEnter)
    return (
      <Empty icon={<SquareTerminal />} title={w.notYours}>
        {w.notYoursText}
      </Empty>
    );
  if (sitting === 0)
    return (
      <Empty
        icon={<SquareTerminal />}
        title={w.title}
        action={
          <Button variant="primary" onClick={() => setSitting(1)}>
            {w.open}
          </Button>
        }
      >
        {run.status === "queued" || run.status === "running" ? w.leadLook : w.lead}
      </Empty>
    );
  return (
    <Suspense
      fallback={
        <p role="status" className="p-4 text-faint text-sm">
          {w.connecting}
        </p>
      }
    >
      <Shell
        key={sitting}
        runId={run.id}
        onAgain={() => setSitting((count) => count + 1)}
        onLeave={() => setSitting(0)}
      />
    </Suspense>
  );
}
