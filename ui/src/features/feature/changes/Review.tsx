import { useCallback, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Diff, DiffFile, Feature, HeldCard } from "@/api/types";
import { BuiltOn } from "@/features/dependents";
import { useHotkeys } from "@/lib/hotkeys";
import { kept } from "../lib/kept";
import { s } from "../strings";
import { whyNot } from "../useSay";
import { CommentsBar } from "./CommentsBar";
import { commentsOf } from "./comment-state";
import { DiffContext, type DiffShown } from "./context";
import { File } from "./File";
import { fingerprint } from "./hunks";
import { ScrollBox } from "./Lazy";
import { prefs } from "./prefs";
import { Summary } from "./Summary";
import { Toolbar } from "./Toolbar";
import { Tree } from "./Tree";
import { filesOf, pathOf, treeOf } from "./tree";
import { useCurrentFile } from "./useCurrentFile";

/** Width in pixels from which on there is room for the tree, and for two columns. */
const WIDE = 860;

/** A diff to be read: the tree, the files, the comments. */
export function Review({
  feature,
  holds,
  diff,
  updating,
  mayBuild,
  onSent,
}: {
  feature: Feature;
  /** What the work is built on. */
  holds: HeldCard[];
  diff: Diff;
  updating: boolean;
  mayBuild: boolean;
  onSent: () => void;
}) {
  const shown = prefs.use();
  const frame = useRef<HTMLDivElement>(null);
  const scroller = useRef<HTMLElement>(null);
  const wide = useWide(frame);
  const files = useMemo(() => filesOf(treeOf(diff.files)), [diff.files]);
  const prints = useMemo(() => new Map(files.map((file) => [pathOf(file), fingerprint(file)])), [files]);
  const marks = kept.viewed(feature.id);
  const viewedMarks = marks.use();
  const comments = useMemo(() => commentsOf(feature.id), [feature.id]);
  const commentList = comments.list.use();
  const [folds, setFolds] = useState<Record<string, boolean>>({});
  const { current, goTo, step } = useCurrentFile(scroller, files);

  const isViewed = useCallback(
    (file: DiffFile) => viewedMarks[pathOf(file)] === prints.get(pathOf(file)),
    [viewedMarks, prints],
  );
  const isOpen = (file: DiffFile) => folds[pathOf(file)] ?? !isViewed(file);
  const onOpen = useCallback(
    (path: string, open: boolean) => setFolds((before) => ({ ...before, [path]: open })),
    [],
  );
  const onViewed = useCallback(
    (path: string, viewed: boolean) => {
      marks.set((before) => {
        const { [path]: _, ...rest } = before;
        return viewed ? { ...rest, [path]: prints.get(path) ?? "" } : rest;
      });
      setFolds((before) => ({ ...before, [path]: !viewed }));
    },
    [marks, prints],
  );
  const choose = (path: string) => {
    onOpen(path, true);
    goTo(path);
  };

  useHotkeys({
    n: () => step(1),
    p: () => step(-1),
    v: () => {
      const file = files.find((entry) => pathOf(entry) === current);
      if (file === undefined) return;
      const viewed = !isViewed(file);
      onViewed(pathOf(file), viewed);
      if (viewed) step(1);
    },
  });

  const context = useMemo<DiffShown>(
    () => ({
      featureId: feature.id,
      diff,
      comments,
      mayComment: whyNot(feature, mayBuild) === null,
      split: wide && shown.layout === "split",
      hideWhitespace: shown.hideWhitespace,
    }),
    [feature, diff, comments, mayBuild, wide, shown.layout, shown.hideWhitespace],
  );
  const tree = (
    <Tree
      files={files}
      current={current}
      viewed={isViewed}
      commented={(path) => commentList.filter((comment) => comment.path === path).length}
      onChoose={choose}
      className={wide ? "h-full pt-2.5" : "max-h-80"}
    />
  );

  return (
    <DiffContext value={context}>
      <div ref={frame} className="flex h-full min-h-0 flex-col">
        <Toolbar
          diff={diff}
          viewed={files.filter(isViewed).length}
          updating={updating}
          wide={wide}
          tree={tree}
          onFold={(folded) => setFolds(Object.fromEntries(files.map((file) => [pathOf(file), !folded])))}
        />
        <div className="flex min-h-0 flex-1">
          {wide && shown.tree && <div className="w-64 shrink-0 border-line border-r">{tree}</div>}
          <ScrollBox value={scroller}>
            <section
              ref={scroller}
              aria-label={s.tabs.changes}
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
              tabIndex={0}
              className="-outline-offset-2 min-w-0 flex-1 overflow-y-auto scroll-thin"
            >
              <div className="flex flex-col gap-3 p-3">
                {feature.summary && <Summary text={feature.summary} />}
                <BuiltOn holds={holds} />
                {diff.truncated && (
                  <p className="rounded-lg bg-amber-soft px-3 py-2 text-sm">{s.changes.cut}</p>
                )}
                {files.map((file) => (
                  <File
                    key={pathOf(file)}
                    file={file}
                    open={isOpen(file)}
                    viewed={isViewed(file)}
                    onOpen={onOpen}
                    onViewed={onViewed}
                  />
                ))}
              </div>
            </section>
          </ScrollBox>
        </div>
        <CommentsBar feature={feature} onSent={onSent} onChoose={choose} />
      </div>
    </DiffContext>
  );
}

function useWide(box: React.RefObject<HTMLElement | null>): boolean {
  const [wide, setWide] = useState(false);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    setWide(element.clientWidth >= WIDE);
    const observer = new ResizeObserver(() => setWide(element.clientWidth >= WIDE));
    observer.observe(element);
    return () => observer.disconnect();
  }, [box]);
  return wide;
}
