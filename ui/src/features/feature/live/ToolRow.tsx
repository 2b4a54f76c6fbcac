import {
  FilePen,
  FilePlus2,
  FileSearch,
  FileText,
  Lightbulb,
  ListTodo,
  type LucideIcon,
  Search,
  ShieldCheck,
  SquareTerminal,
  Wrench,
} from "lucide-react";
import type { Check } from "@/api/types";
import { cn } from "@/lib/cn";
import { duration } from "@/lib/format";
import type { LiveStream } from "@/live/output";
import { FileLinks } from "../FileLinks";
import { Stat } from "../header/Facts";
import { s } from "../strings";
import { Fold } from "./Fold";
import { Terminal } from "./Terminal";
import { ToolBody } from "./ToolBody";
import type { Item } from "./timeline";
import { commandEnd, type Saying, sayingOf } from "./tools";

const ICONS: Record<Saying["icon"], LucideIcon> = {
  read: FileText,
  write: FilePlus2,
  edit: FilePen,
  find: FileSearch,
  search: Search,
  run: SquareTerminal,
  plan: ListTodo,
  know: Lightbulb,
  other: Wrench,
};

/** A call of a tool, folded to one line with what came of it. */
export function ToolRow({
  item,
  live,
  open,
  onToggle,
}: {
  item: Extract<Item, { kind: "tool" }>;
  live: LiveStream | undefined;
  open: boolean;
  onToggle: () => void;
}) {
  const saying = sayingOf(item);
  const running = item.state === "running";
  const failed = item.state === "failed";
  const end = item.tool === "bash" && item.output !== null ? commandEnd(item.output) : null;
  const outcome = failed
    ? end?.exitCode != null
      ? s.live.exit(end.exitCode)
      : (end?.how ?? s.live.failed)
    : item.state === "interrupted"
      ? s.live.interrupted
      : null;
  // A command that prints shows it while it runs.
  const shown = open || (running && live !== undefined && live.text !== "");
  const row = (
    <Fold
      open={shown}
      onToggle={onToggle}
      line={<Line saying={saying} running={running} failed={failed} />}
      end={
        <span className="flex shrink-0 items-center gap-2.5 text-xs">
          {saying.stat && !failed && <Stat {...saying.stat} />}
          {outcome !== null && (
            <span className={failed ? "font-medium text-red" : "text-faint"}>{outcome}</span>
          )}
          {item.durationMs !== null && item.durationMs >= 100 && (
            <span className="num text-faint">{duration(item.durationMs)}</span>
          )}
        </span>
      }
    >
      <ToolBody item={item} live={live} />
    </Fold>
  );
  if (item.images === undefined) return row;
  return (
    <>
      {row}
      <FileLinks files={item.images} label={s.live.images} className="mt-0.5 mb-2" />
    </>
  );
}

function Line({ saying, running, failed }: { saying: Saying; running: boolean; failed: boolean }) {
  const Icon = ICONS[saying.icon];
  return (
    <>
      <Icon
        aria-hidden
        className={cn(
          "size-3.5 shrink-0",
          failed ? "text-red" : running ? "animate-pulse-soft text-accent-text" : "text-faint",
        )}
      />
      <span className="shrink-0 text-muted">{saying.verb}</span>
      {saying.target !== "" && (
        <code className="min-w-0 truncate text-ink text-xs" title={saying.target}>
          {saying.target}
        </code>
      )}
      {saying.more && <span className="min-w-0 truncate text-faint text-xs">{saying.more}</span>}
    </>
  );
}

/** A check of the project, as it runs and ends. */
export function CheckRow({
  check,
  live,
  open,
  onToggle,
}: {
  check: Check;
  live: LiveStream | undefined;
  open: boolean;
  onToggle: () => void;
}) {
  const running = check.status === "running";
  const failed = check.status === "failed";
  const text = running ? (live?.text ?? "") : check.output;
  const words = (check.kind === "set-up" ? s.live.setUp : s.live.check)[check.status];
  return (
    <Fold
      open={open || (running && text !== "")}
      onToggle={onToggle}
      line={
        <>
          <ShieldCheck
            aria-hidden
            className={cn(
              "size-3.5 shrink-0",
              failed ? "text-red" : running ? "animate-pulse-soft text-accent-text" : "text-green",
            )}
          />
          <span className="shrink-0 text-muted">{words}</span>
          <code className="min-w-0 truncate text-xs">{check.command}</code>
        </>
      }
      end={
        <span className="flex shrink-0 items-center gap-2.5 text-xs">
          {failed && (
            <span className="font-medium text-red">
              {check.exitCode === null ? s.checks.killed : s.live.exit(check.exitCode)}
            </span>
          )}
          {check.endedAt && (
            <span className="num text-faint">
              {duration(Date.parse(check.endedAt) - Date.parse(check.startedAt))}
            </span>
          )}
        </span>
      }
    >
      {text === "" ? (
        <p className="text-faint text-xs">{s.live.noOutput}</p>
      ) : (
        <Terminal text={text} live={running} missing={running && (live?.missing ?? 0) > 0} />
      )}
    </Fold>
  );
}
