import { Plus } from "lucide-react";
import { memo, use } from "react";
import type { DiffLine } from "@/api/types";
import { cn } from "@/lib/cn";
import { CodeText } from "../code/Line";
import type { Range } from "../lib/intraline";
import { s } from "../strings";
import { CommentsAt } from "./CommentBox";
import { spot, spotOf } from "./comment-state";
import { DiffContext } from "./context";
import { pairsOf } from "./hunks";
import { Lazy } from "./Lazy";

/** Height of a line that is not wrapped, in pixels. */
export const LINE = 20;
/** Lines that come and go together. */
const CHUNK = 60;

export interface LinesProps {
  path: string;
  lines: readonly DiffLine[];
  tokensOf: (line: DiffLine) => readonly number[] | undefined;
  marks: ReadonlyMap<DiffLine, readonly Range[]> | undefined;
  /** Where comments hang, so that the lines without any cost nothing. */
  spots: ReadonlySet<string>;
  /** The file has only one side: one column, with one number for each line. */
  oneSided?: boolean;
}

/** Lines of a diff, in one column or in two. Long stretches are cut into parts that come and go with scrolling. */
export function Lines(props: LinesProps) {
  const split = use(DiffContext).split && !props.oneSided;
  const rows: readonly unknown[] = split ? pairsOf(props.lines) : props.lines;
  if (rows.length <= CHUNK * 1.5) return <Rows {...props} split={split} from={0} to={rows.length} />;
  const chunks: number[] = [];
  for (let at = 0; at < rows.length; at += CHUNK) chunks.push(at);
  return chunks.map((at) => {
    const to = Math.min(rows.length, at + CHUNK);
    return (
      <Lazy key={at} height={(to - at) * LINE}>
        <Rows {...props} split={split} from={at} to={to} />
      </Lazy>
    );
  });
}

function Rows({
  lines,
  from,
  to,
  split,
  ...props
}: LinesProps & { from: number; to: number; split: boolean }) {
  if (split) {
    return pairsOf(lines)
      .slice(from, to)
      .map(({ left, right }, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line is what stands at its place.
        <div key={from + at}>
          <div className="flex">
            <Half line={left} side="left" {...props} />
            <Half line={right} side="right" {...props} />
          </div>
          {left?.kind === "delete" && <Hung line={left} {...props} />}
          {right !== null && <Hung line={right} {...props} />}
        </div>
      ));
  }
  return lines.slice(from, to).map((line, at) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a line is what stands at its place.
    <div key={from + at}>
      <One
        line={line}
        tokens={props.tokensOf(line)}
        marks={props.marks?.get(line)}
        path={props.path}
        oneSided={props.oneSided ?? false}
      />
      <Hung line={line} {...props} />
    </div>
  ));
}

function Hung({ line, path, spots }: { line: DiffLine } & Pick<LinesProps, "path" | "spots">) {
  const place = spotOf(line);
  if (place === null || !spots.has(spot(place.side, place.number))) return null;
  return <CommentsAt path={path} side={place.side} line={place.number} />;
}

const tint = (kind: DiffLine["kind"] | undefined) =>
  kind === "add" ? "bg-add" : kind === "delete" ? "bg-del" : "";

const number =
  "num relative w-8 shrink-0 @md:w-11 select-none pr-1.5 text-right text-2xs leading-5 @md:pr-2 text-faint data-[kind=add]:text-green data-[kind=delete]:text-red";

const row =
  "group/line flex min-h-5 font-mono text-xs leading-5 -outline-offset-2 outline-ring focus-visible:relative focus-visible:z-1";

/** One line in a single column. */
const One = memo(function One({
  line,
  tokens,
  marks,
  path,
  oneSided,
}: {
  line: DiffLine;
  tokens: readonly number[] | undefined;
  marks: readonly Range[] | undefined;
  path: string;
  oneSided: boolean;
}) {
  const place = spotOf(line);
  return (
    <div
      data-row=""
      data-spot={place === null ? undefined : spot(place.side, place.number)}
      tabIndex={-1}
      className={cn(row, tint(line.kind))}
    >
      <span data-kind={line.kind} className={number}>
        {oneSided ? (line.newLine ?? line.oldLine) : line.oldLine}
        <AddButton line={line} path={path} className="left-0" />
      </span>
      {!oneSided && (
        <span data-kind={line.kind} className={number}>
          {line.newLine}
        </span>
      )}
      <Sign kind={line.kind} />
      <Text line={line} tokens={tokens} marks={marks} />
    </div>
  );
});

function Half({
  line,
  side,
  path,
  tokensOf,
  marks,
}: {
  line: DiffLine | null;
  side: "left" | "right";
} & Pick<LinesProps, "path" | "tokensOf" | "marks">) {
  const first = side === "left";
  if (line === null) {
    return <div aria-hidden className={cn("w-1/2 bg-sunken", first && "border-line border-r")} />;
  }
  // A line that did not change can be commented on once: where it is now.
  const place = first && line.kind === "context" ? null : spotOf(line);
  return (
    <div
      data-row={first ? undefined : ""}
      data-spot={place === null ? undefined : spot(place.side, place.number)}
      tabIndex={-1}
      className={cn(row, "w-1/2 min-w-0", tint(line.kind), first && "border-line border-r")}
    >
      <span data-kind={line.kind} className={number}>
        {first ? line.oldLine : line.newLine}
        {place !== null && <AddButton line={line} path={path} className="left-0" />}
      </span>
      <Sign kind={line.kind} />
      <Text line={line} tokens={tokensOf(line)} marks={marks?.get(line)} />
    </div>
  );
}

function Sign({ kind }: { kind: DiffLine["kind"] }) {
  return (
    <span
      className={cn(
        "w-4 shrink-0 select-none text-center @md:w-5",
        kind === "add" ? "text-green" : kind === "delete" ? "text-red" : "",
      )}
    >
      {kind === "add" ? "+" : kind === "delete" ? "−" : " "}
    </span>
  );
}

function Text({
  line,
  tokens,
  marks,
}: {
  line: DiffLine;
  tokens: readonly number[] | undefined;
  marks: readonly Range[] | undefined;
}) {
  return (
    <span className="min-w-0 flex-1 whitespace-pre-wrap pr-3 [overflow-wrap:anywhere] [tab-size:4]">
      <CodeText
        text={line.text}
        tokens={tokens}
        marks={marks}
        mark={line.kind === "delete" ? "bg-del-strong" : "bg-add-strong"}
      />
      {line.noNewline && (
        <span className="ml-2 select-none rounded bg-grey-soft px-1 font-sans text-2xs text-faint">
          {s.changes.noNewline}
        </span>
      )}
    </span>
  );
}

/** Begins a comment on a line; the mouse's way. The keyboard's is Enter on the line. */
function AddButton({ line, path, className }: { line: DiffLine; path: string; className: string }) {
  const { comments, mayComment } = use(DiffContext);
  const place = spotOf(line);
  if (!mayComment || place === null) return null;
  return (
    <button
      type="button"
      tabIndex={-1}
      aria-label={s.changes.addComment(place.number)}
      onClick={() => comments.begin(path, place.side, line)}
      className={cn(
        "-translate-x-px absolute top-px flex size-[1.125rem] items-center justify-center rounded-[5px] bg-accent text-accent-ink opacity-0 shadow-card transition-opacity group-hover/line:opacity-100 group-focus-visible/line:opacity-100",
        className,
      )}
    >
      <Plus aria-hidden className="size-3.5" />
    </button>
  );
}
