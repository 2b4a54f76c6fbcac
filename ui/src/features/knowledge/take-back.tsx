import { useQuery } from "@tanstack/react-query";
import { Undo2 } from "lucide-react";
import { useState } from "react";
import { useMay } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { useRollBack } from "./deeds";
import { hubQueries } from "./queries";
import { words } from "./strings";
import type { Item } from "./types";

const r = words.review;

/** Whether an item goes with what its run recorded: an agent wrote it, and it is there. */
export const isOfRun = (item: Item): boolean =>
  item.origin === "agent" && item.sourceRunId !== null && item.deletedAt === null;

/** Asks before everything that a run recorded is rolled back. */
export function RollBack({
  runId,
  open,
  onOpenChange,
  onDone,
}: {
  runId: string | null;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onDone?: () => void;
}) {
  const rollBack = useRollBack();
  return (
    <Confirm
      open={open}
      onOpenChange={onOpenChange}
      title={r.rollBackAsk}
      confirm={r.rollBack}
      danger
      onConfirm={async () => {
        if (runId !== null) await rollBack.mutateAsync(runId);
        onDone?.();
      }}
    >
      <p>{r.rollBackText}</p>
    </Confirm>
  );
}

/** Rolls back what a run recorded, where it recorded something that is still there. `recorded` is how much it is known to have. */
export default function TakeBack({ runId, recorded }: { runId: string; recorded: number }) {
  const mayWrite = useMay("knowledge");
  const [asking, setAsking] = useState(false);
  const known = useQuery({ ...hubQueries.ofRun(runId, recorded), enabled: mayWrite }).data;
  if (!known?.mayRollBack || !known.items.some(isOfRun)) return null;
  return (
    <>
      <Button size="sm" variant="ghost" className="mt-2" onClick={() => setAsking(true)}>
        <Undo2 /> {r.rollBack}
      </Button>
      <RollBack runId={runId} open={asking} onOpenChange={setAsking} />
    </>
  );
}
