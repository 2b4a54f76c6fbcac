import { use, useCallback, useMemo, useState } from "react";
import type { DiffFile, DiffLine, Hunk } from "@/api/types";
import { type Tokens, useTokens } from "../code/highlight";
import { languageOf } from "../code/languages";
import type { Writing } from "../lib/kept";
import { s } from "../strings";
import { Field, OneComment } from "./CommentBox";
import { spot } from "./comment-state";
import { DiffContext } from "./context";
import { GapBar } from "./GapBar";
import { contextOf, type Gap, gapsOf, marksOf, openGap, type Revealed, shownHunks } from "./hunks";
import { Lines } from "./Lines";
import { pathOf } from "./tree";
import { useContent } from "./useContent";

const HIDDEN: Revealed = { top: 0, bottom: 0 };

/** The changed places of a file, with the lines around them on demand. */
export function Body({ file }: { file: DiffFile }) {
  const { featureId, diff, hideWhitespace, comments, mayComment } = use(DiffContext);
  const path = pathOf(file);
  const hunks = useMemo(() => shownHunks(file, hideWhitespace), [file, hideWhitespace]);
  const gaps = useMemo(() => gapsOf(file, hunks), [file, hunks]);
  const [revealed, setRevealed] = useState<Record<number, Revealed>>({});
  const wanted = Object.keys(revealed).length > 0;
  const content = useContent(featureId, diff, file.newPath, wanted);
  const language = languageOf(path, hunks[0]?.lines[0]?.newLine === 1 ? hunks[0].lines[0].text : "");
  const whole = useTokens(
    language,
    useMemo(() => content.data?.join("\n") ?? null, [content.data]),
  );

  const all = comments.list.use();
  const writing = comments.writing.use();
  const spots = useMemo(() => {
    const set = new Set<string>();
    for (const entry of [...all, ...(writing === null ? [] : [writing])]) {
      if (entry.path === path) set.add(spot(entry.side, entry.line));
    }
    return set;
  }, [all, writing, path]);
  const here = useMemo(() => {
    const here = new Set<string>();
    for (const hunk of hunks) {
      for (const line of hunk.lines) {
        if (line.oldLine !== null && line.kind === "delete") here.add(spot("old", line.oldLine));
        if (line.newLine !== null) here.add(spot("new", line.newLine));
      }
    }
    return here;
  }, [hunks]);
  // Their line is not in the change any more.
  const isLost = (entry: Writing) => entry.path === path && !here.has(spot(entry.side, entry.line));
  const lost = all.filter((entry) => isLost(entry));
  const adrift = writing !== null && writing.id === null && isLost(writing);

  const reveal = (gap: Gap, by: Partial<Revealed>) =>
    setRevealed((before) => {
      const now = before[gap.index] ?? HIDDEN;
      return {
        ...before,
        [gap.index]: { top: now.top + (by.top ?? 0), bottom: now.bottom + (by.bottom ?? 0) },
      };
    });
  const plain = useCallback(
    (line: DiffLine) => (line.newLine === null ? undefined : whole?.[line.newLine - 1]),
    [whole],
  );
  const gapAt = (index: number, hunk: Hunk | undefined) => {
    const gap = gaps[index] ?? null;
    const context = hunk === undefined ? "" : contextOf(hunk);
    if (gap === null) {
      return index === 0 || hunk === undefined ? null : <GapBar context={context} />;
    }
    const shown = revealed[gap.index] ?? HIDDEN;
    const { top, hidden, bottom } = openGap(gap, content.data ?? null, shown);
    const busy = revealed[gap.index] !== undefined && content.isFetching;
    const rest = { path, tokensOf: plain, marks: undefined, spots };
    return (
      <>
        {top.length > 0 && <Lines lines={top} {...rest} />}
        {hidden !== 0 && (
          <GapBar
            gap={gap}
            hidden={hidden}
            context={context}
            busy={busy}
            failed={content.isError && revealed[gap.index] !== undefined}
            first={index === 0}
            last={hunk === undefined}
            onReveal={(by) => reveal(gap, by)}
          />
        )}
        {bottom.length > 0 && <Lines lines={bottom} {...rest} />}
      </>
    );
  };

  if (hunks.length === 0 && file.hunks.length > 0) {
    return <p className="px-4 py-3 text-faint text-sm">{s.changes.whitespaceOnly}</p>;
  }
  return (
    <section
      aria-label={s.changes.linesOf(path)}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: from here the arrow keys lead to the lines.
      tabIndex={0}
      className="-outline-offset-2 rounded-b-xl"
      onKeyDown={(event) => lineKeys(event, (place) => mayComment && begin(file, hunks, place, comments))}
    >
      {(lost.length > 0 || adrift) && (
        <div className="flex flex-col gap-2 border-line border-b bg-canvas px-3 py-2.5">
          {lost.map((comment) => (
            <OneComment
              key={comment.id}
              comment={comment}
              place={`${s.changes.outdated} (${comment.line})`}
            />
          ))}
          {adrift && <Field />}
        </div>
      )}
      {hunks.map((hunk, index) => (
        <div key={hunk.header}>
          {gapAt(index, hunk)}
          <HunkLines
            hunk={hunk}
            path={path}
            language={language}
            whole={whole}
            spots={spots}
            oneSided={file.status === "added" || file.status === "deleted"}
          />
        </div>
      ))}
      {gapAt(hunks.length, undefined)}
    </section>
  );
}

function HunkLines({
  hunk,
  path,
  language,
  whole,
  spots,
  oneSided,
}: {
  hunk: Hunk;
  path: string;
  language: string | null;
  whole: Tokens | undefined;
  spots: ReadonlySet<string>;
  oneSided: boolean;
}) {
  const marks = useMemo(() => marksOf(hunk.lines), [hunk]);
  const { old, now, places } = useMemo(() => sides(hunk), [hunk]);
  const oldTokens = useTokens(language, old);
  const newTokens = useTokens(language, whole === undefined ? now : null);
  const tokensOf = useCallback(
    (line: DiffLine) => {
      if (line.kind === "delete") return oldTokens?.[places.get(line) ?? -1];
      if (whole !== undefined && line.newLine !== null) return whole[line.newLine - 1];
      return newTokens?.[places.get(line) ?? -1];
    },
    [oldTokens, newTokens, whole, places],
  );
  return (
    <Lines
      path={path}
      lines={hunk.lines}
      tokensOf={tokensOf}
      marks={marks}
      spots={spots}
      oneSided={oneSided}
    />
  );
}

/** The text of a hunk before and after, each whole, and where each line stands in its own. */
function sides(hunk: Hunk) {
  const old: string[] = [];
  const now: string[] = [];
  const places = new Map<DiffLine, number>();
  for (const line of hunk.lines) {
    if (line.kind !== "add") {
      if (line.kind === "delete") places.set(line, old.length);
      old.push(line.text);
    }
    if (line.kind !== "delete") {
      places.set(line, now.length);
      now.push(line.text);
    }
  }
  const gone = hunk.lines.some((line) => line.kind === "delete");
  return { old: gone ? old.join("\n") : null, now: now.join("\n"), places };
}

function begin(
  file: DiffFile,
  hunks: readonly Hunk[],
  place: string,
  comments: { begin: (path: string, side: "old" | "new", line: DiffLine) => void },
) {
  const [side, number] = place.split(":");
  const wanted = Number(number);
  for (const hunk of hunks) {
    for (const line of hunk.lines) {
      if (side === "old" ? line.kind === "delete" && line.oldLine === wanted : line.newLine === wanted) {
        comments.begin(pathOf(file), side === "old" ? "old" : "new", line);
        return;
      }
    }
  }
}

/** Arrow keys go from line to line, Enter begins a comment. */
function lineKeys(event: React.KeyboardEvent<HTMLElement>, onComment: (place: string) => void) {
  const at = event.target;
  if (!(at instanceof HTMLElement)) return;
  if (at !== event.currentTarget && at.dataset.row === undefined) return;
  if (event.key === "Enter" && at.dataset.spot !== undefined) {
    event.preventDefault();
    onComment(at.dataset.spot);
    return;
  }
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-row]")];
  const next = rows[rows.indexOf(at) + step];
  if (next === undefined) return;
  event.preventDefault();
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}
