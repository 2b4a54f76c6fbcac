import { FileDiff } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { asApiError } from "@/api/error";
import { useDiff } from "@/api/queries";
import type { Feature, Run } from "@/api/types";
import { Empty, ErrorState } from "@/components/state";
import { warmUp } from "../code/highlight";
import { DiffSkeleton } from "../Skeletons";
import { s } from "../strings";
import { Review } from "./Review";

/** What the work changes, file by file. */
export function ChangesTab({
  feature,
  run,
  mayBuild,
  action,
  onSent,
}: {
  feature: Feature;
  /** The latest run: the one whose work is shown. */
  run: Run | undefined;
  mayBuild: boolean;
  action: ReactNode;
  onSent: () => void;
}) {
  const diff = useDiff(feature.id, run !== undefined);
  // The diff is colourless for a shorter time.
  useEffect(warmUp, []);
  const { refetch } = diff;
  // A new run, its worktree, and each snapshot make another diff.
  const state = `${run?.id} ${run?.baseCommit} ${run?.headCommit}`;
  const last = useRef(state);
  useEffect(() => {
    if (last.current === state) return;
    last.current = state;
    void refetch();
  }, [state, refetch]);

  if (run === undefined) {
    return (
      <Empty icon={<FileDiff />} title={s.changes.none} action={action}>
        {s.changes.backlogText}
      </Empty>
    );
  }
  if (diff.data !== undefined && diff.data.files.length > 0) {
    return (
      <Review
        feature={feature}
        holds={run.holds}
        diff={diff.data}
        updating={diff.isFetching}
        mayBuild={mayBuild}
        onSent={onSent}
      />
    );
  }
  if (diff.isPending) return <DiffSkeleton />;
  if (diff.isError && asApiError(diff.error).code !== "nothing-yet") {
    return <ErrorState error={diff.error} onRetry={() => void refetch()} />;
  }
  const working = run.status === "queued" || run.status === "running" || diff.isError;
  return (
    <Empty icon={<FileDiff />} title={working ? s.changes.none : s.changes.nothing}>
      {working ? s.changes.noneText : s.changes.nothingText}
    </Empty>
  );
}
