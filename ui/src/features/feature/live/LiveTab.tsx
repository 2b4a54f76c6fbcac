import { Hourglass, Inbox, Radio } from "lucide-react";
import { useCallback, useMemo, useRef, useState } from "react";
import { isLost } from "@/api/error";
import { useRunEvents } from "@/api/queries";
import type { Feature, Run } from "@/api/types";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { exactTime } from "@/lib/format";
import { useLiveOutput } from "@/live/output";
import type { Place } from "../place";
import { TimelineSkeleton } from "../Skeletons";
import { s } from "../strings";
import { Announce } from "./Announce";
import { List, type ListHandle } from "./List";
import { ProgressLine } from "./ProgressLine";
import { rowsOf } from "./rows";
import { activityOf, writingOf } from "./stream";
import { isFailure, timelineOf } from "./timeline";

/** What happens in a run, as it happens. */
export function LiveTab({
  feature,
  run,
  latest,
  turn,
  go,
  action,
}: {
  feature: Feature;
  run: Run | undefined;
  latest: boolean;
  /** A turn to begin at. */
  turn: number | undefined;
  go: (place: Place) => void;
  /** What can be done before there is a run. */
  action: React.ReactNode;
}) {
  if (run === undefined) {
    return (
      <Empty icon={<Radio />} title={s.live.emptyBacklog} action={action}>
        {s.live.emptyBacklogText}
      </Empty>
    );
  }
  return (
    <div className="flex h-full min-h-0 flex-col">
      {!latest && (
        <div className="flex items-center justify-between gap-3 bg-accent-soft px-4 py-1.5 text-xs">
          <span>{s.live.older(exactTime(run.createdAt))}</span>
          <Button
            variant="quiet"
            size="sm"
            className="-my-1"
            onClick={() => go({ run: undefined, turn: undefined })}
          >
            {s.live.toLatest}
          </Button>
        </div>
      )}
      <RunView key={run.id} feature={feature} run={run} turn={turn} />
    </div>
  );
}

const NONE: ReadonlySet<string> = new Set();

function RunView({ feature, run, turn }: { feature: Feature; run: Run; turn: number | undefined }) {
  const events = useRunEvents(run.id);
  const streams = useLiveOutput(run.id);
  const timeline = useMemo(() => timelineOf(events.data ?? []), [events.data]);
  const writing = useMemo(() => writingOf(streams, timeline), [streams, timeline]);
  const rows = useMemo(() => rowsOf(timeline, writing, run.status), [timeline, writing, run.status]);
  const activity = useMemo(() => activityOf(timeline, writing), [timeline, writing]);
  const failures = useMemo(() => timeline.items.filter(isFailure).map((item) => item.key), [timeline]);
  const [opened, setOpened] = useState(NONE);
  const toggle = useCallback(
    (key: string) =>
      setOpened((before) => {
        const next = new Set(before);
        if (!next.delete(key)) next.add(key);
        return next;
      }),
    [],
  );
  const list = useRef<ListHandle>(null);
  const failure = useRef(-1);

  if (events.isPending) return <TimelineSkeleton />;
  if (isLost(events)) return <ErrorState error={events.error} onRetry={() => void events.refetch()} />;

  const nextFailure = () => {
    failure.current = (failure.current + 1) % failures.length;
    const key = failures[failure.current];
    if (key === undefined) return;
    setOpened((before) => new Set(before).add(key));
    list.current?.show(key);
  };

  return (
    <>
      <ProgressLine run={run} activity={activity} failures={failures.length} onFailure={nextFailure} />
      {rows.length === 0 || (rows.length === 1 && rows[0]?.kind === "working") ? (
        <Waits run={run} />
      ) : (
        <List
          ref={list}
          rows={rows}
          opened={opened}
          toggle={toggle}
          featureId={feature.id}
          runId={run.id}
          label={s.live.label}
          shownAbove={feature.error?.message}
          beginAt={
            turn === undefined
              ? undefined
              : timeline.items.find((item) => item.first && item.turn === turn)?.key
          }
        />
      )}
      <Announce run={run} activity={activity} />
    </>
  );
}

/** Before the first word: in the queue, or just begun. */
function Waits({ run }: { run: Run }) {
  if (run.status === "queued") {
    return (
      <Empty icon={<Hourglass />} title={s.live.queued} className="flex-1">
        {s.live.queuedText}
      </Empty>
    );
  }
  if (run.status === "running") {
    return (
      <Empty
        icon={
          <span className="size-5 animate-spin-slow rounded-full border-2 border-faint border-t-transparent" />
        }
        title={s.live.starting}
        className="flex-1"
      />
    );
  }
  return <Empty icon={<Inbox />} title={s.live.noEvents} className="flex-1" />;
}
