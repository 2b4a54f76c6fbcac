import { LoaderCircle } from "lucide-react";
import { memo } from "react";
import { toast } from "@/components/ui/toast";
import { Tooltip } from "@/components/ui/tooltip";
import { cn } from "@/lib/cn";
import { count, exactMoney } from "@/lib/format";
import type { LiveStream } from "@/live/output";
import { linkOf } from "../place";
import { s } from "../strings";
import {
  Compacted,
  Ended,
  Note,
  PlanAdopted,
  PlanDecided,
  Started,
  StepEnded,
  StepStarted,
  Waiting,
} from "./Divider";
import { Keep } from "./Keep";
import { TaskList } from "./Plan";
import { CheckRow, ToolRow } from "./ToolRow";
import { type Item, sameItem, type TurnFacts } from "./timeline";
import { Said, Thinking, Words } from "./Words";

/** One row: a stored item, words that are being written, or a sign that the agent is at work. */
export type RowData =
  | { kind: "item"; key: string; item: Item; live: LiveStream | undefined; facts: TurnFacts | undefined }
  | { kind: "live"; key: string; live: LiveStream; last: boolean }
  | { kind: "working"; key: string; text: string };

interface RowProps {
  row: RowData;
  open: boolean;
  marked: boolean;
  featureId: string;
  runId: string;
  toggle: (key: string) => void;
  shownAbove: string | undefined;
}

export const Row = memo(
  function Row({ row, open, marked, featureId, runId, toggle, shownAbove }: RowProps) {
    const onToggle = () => toggle(row.key);
    const turn = row.kind === "item" && row.item.first ? row.item.turn : null;
    return (
      <div className="mx-auto grid w-full max-w-4xl grid-cols-[2rem_minmax(0,1fr)] gap-x-2 pr-4 pl-2">
        <div className="flex justify-end pt-[0.4375rem]">
          {turn !== null && row.kind === "item" && (
            <TurnMark turn={turn} facts={row.facts} featureId={featureId} runId={runId} />
          )}
        </div>
        <div className={cn("min-w-0 rounded-md", marked && "bg-selected")}>
          <Content row={row} open={open} onToggle={onToggle} shownAbove={shownAbove} runId={runId} />
        </div>
      </div>
    );
  },
  (a, b) =>
    a.open === b.open &&
    a.marked === b.marked &&
    a.toggle === b.toggle &&
    a.shownAbove === b.shownAbove &&
    (a.row === b.row || sameRow(a.row, b.row)),
);

function sameRow(a: RowData, b: RowData): boolean {
  if (a.kind === "item" && b.kind === "item")
    return sameItem(a.item, b.item) && a.live === b.live && a.facts === b.facts;
  if (a.kind === "live" && b.kind === "live") return a.live === b.live && a.last === b.last;
  return a.kind === "working" && b.kind === "working" && a.text === b.text;
}

function Content({
  row,
  open,
  onToggle,
  shownAbove,
  runId,
}: {
  row: RowData;
  open: boolean;
  onToggle: () => void;
  shownAbove: string | undefined;
  runId: string;
}) {
  if (row.kind === "working") {
    return (
      <p className="flex min-h-7 items-center gap-2 text-faint text-sm">
        <LoaderCircle aria-hidden className="size-3.5 animate-spin-slow text-accent-text" />
        {row.text}
      </p>
    );
  }
  if (row.kind === "live") {
    // What another part follows on is written to its end, though not stored yet.
    const { live, last } = row;
    return live.stream.kind === "thinking" ? (
      <Thinking text={live.text} live={last} open={open} onToggle={onToggle} />
    ) : (
      <Words text={live.text} live={last} missing={live.missing > 0} />
    );
  }
  const { item, live } = row;
  const fold = { open, onToggle };
  switch (item.kind) {
    case "said":
      return <Said item={item} {...fold} />;
    case "words":
      return (
        <Keep runId={runId} text={item.text}>
          <Words text={item.text} />
        </Keep>
      );
    case "thinking":
      return <Thinking text={item.text} {...fold} />;
    case "tool":
      return <ToolRow item={item} live={live} {...fold} />;
    case "check":
      return <CheckRow check={item.check} live={live} {...fold} />;
    case "plan":
      return <TaskList tasks={item.tasks} className="my-2" />;
    case "plan_decided":
      return <PlanDecided item={item} />;
    case "plan_adopted":
      return <PlanAdopted item={item} />;
    case "step_started":
      return <StepStarted item={item} />;
    case "step_ended":
      return <StepEnded item={item} />;
    case "compacted":
      return <Compacted item={item} {...fold} />;
    case "waiting":
      return <Waiting item={item} />;
    case "started":
      return <Started item={item} />;
    case "ended":
      return <Ended item={item} shownAbove={shownAbove} />;
    case "note":
      return <Note item={item} />;
  }
}

/** The number of a turn, with what it took. Copies a link to the turn. */
function TurnMark({
  turn,
  facts,
  featureId,
  runId,
}: {
  turn: number;
  facts: TurnFacts | undefined;
  featureId: string;
  runId: string;
}) {
  return (
    <Tooltip side="right" text={<TurnWords turn={turn} facts={facts} />}>
      <button
        type="button"
        aria-label={`${s.live.turn(turn)}. ${s.live.copyTurn}`}
        onClick={() => {
          void navigator.clipboard
            ?.writeText(linkOf(featureId, { tab: "live", run: runId, turn }))
            .then(() => toast.done(s.header.linkCopied, s.live.turn(turn)));
        }}
        className="num -my-1 h-6 min-w-6 rounded px-1 text-right font-mono text-2xs text-faint leading-6 hover:bg-hover hover:text-ink"
      >
        {turn}
      </button>
    </Tooltip>
  );
}

function TurnWords({ turn, facts }: { turn: number; facts: TurnFacts | undefined }) {
  if (facts === undefined) return s.live.turn(turn);
  const { usage } = facts;
  const rows: [string, string][] = [
    [s.live.usage.in, count(usage.inputTokens)],
    [s.live.usage.cached, count(usage.cacheReadTokens)],
    [s.live.usage.written, count(usage.cacheWriteTokens)],
    [s.live.usage.out, count(usage.outputTokens)],
    [s.live.usage.cost, exactMoney(facts.costMicros)],
  ];
  return (
    <span className="block">
      <span className="block font-medium">
        {s.live.turn(turn)} {s.live.stop[facts.stopReason]}
      </span>
      <span className="num mt-0.5 grid grid-cols-[auto_auto] gap-x-3">
        {rows.map(([name, value]) => (
          <span key={name} className="contents">
            <span className="text-muted">{name}</span>
            <span className="text-right">{value}</span>
          </span>
        ))}
      </span>
    </span>
  );
}
