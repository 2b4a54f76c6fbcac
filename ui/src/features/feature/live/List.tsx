import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import {
  forwardRef,
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import { Button } from "@/components/ui/button";
import { s } from "../strings";
import { Row, type RowData } from "./Row";

/** Pixels from the end within which the reader counts as being there. */
const NEAR = 48;

export interface ListHandle {
  /** Brings a row into sight and marks it. */
  show: (key: string) => void;
}

/** How tall a row will be, before it is there. */
function guess(row: RowData | undefined): number {
  if (row === undefined) return 32;
  if (row.kind !== "item") return 40;
  switch (row.item.kind) {
    case "said":
      return 130;
    case "words":
      return 34 + Math.ceil(row.item.text.length / 80) * 22;
    case "tool":
    case "check":
    case "thinking":
      return 28;
    default:
      return 34;
  }
}

/**
 * The rows of a run, of which only those in sight are drawn. Follows what comes, as long as the reader is at the end;
 * whoever has scrolled up stays there, and is told how much is new.
 */
export const List = forwardRef<
  ListHandle,
  {
    rows: RowData[];
    opened: ReadonlySet<string>;
    toggle: (key: string) => void;
    featureId: string;
    runId: string;
    label: string;
    /** A row to begin at, in place of the end. */
    beginAt: string | undefined;
    /** The problem that the head of the view shows already. */
    shownAbove: string | undefined;
  }
>(function List({ rows, opened, toggle, featureId, runId, label, beginAt, shownAbove }, handle) {
  const box = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(beginAt === undefined);
  const [mark, setMark] = useState(beginAt);
  const seen = useRef(rows.length);
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: (index) => guess(rows[index]),
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: 12,
    paddingStart: 8,
    paddingEnd: 16,
    anchorTo: following ? "end" : "start",
    followOnAppend: following,
    scrollEndThreshold: NEAR,
  });

  // The first view: the end, or the row that the address names.
  // biome-ignore lint/correctness/useExhaustiveDependencies: only once.
  useLayoutEffect(() => {
    const at = beginAt === undefined ? -1 : rows.findIndex((row) => row.key === beginAt);
    if (at >= 0) list.scrollToIndex(at, { align: "start" });
    else list.scrollToEnd();
  }, []);

  // Live words grow inside a row; the end is kept in sight.
  useEffect(() => {
    if (following) {
      seen.current = rows.length;
      list.scrollToEnd();
    }
  }, [following, rows, list]);

  const flip = useCallback(
    (key: string) => {
      // What was pressed stays where it is, even at the end.
      setFollowing(false);
      toggle(key);
    },
    [toggle],
  );

  useImperativeHandle(handle, () => ({
    show(key) {
      const at = rows.findIndex((row) => row.key === key);
      if (at < 0) return;
      setFollowing(false);
      setMark(key);
      list.scrollToIndex(at, { align: "center" });
    },
  }));

  const fresh = rows.length - seen.current;
  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={box}
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        onScroll={({ currentTarget: el }) => {
          const near = el.scrollHeight - el.scrollTop - el.clientHeight <= NEAR;
          if (near !== following && !list.isScrolling) return;
          if (near) seen.current = rows.length;
          setFollowing(near);
        }}
        className="-outline-offset-2 h-full overflow-y-auto overflow-x-hidden scroll-thin [overflow-anchor:none]"
      >
        <div className="relative w-full" style={{ height: list.getTotalSize() }}>
          {list.getVirtualItems().map((place) => {
            const row = rows[place.index];
            if (row === undefined) return null;
            return (
              <div
                key={place.key}
                data-index={place.index}
                ref={list.measureElement}
                className="absolute inset-x-0 top-0"
                style={{ transform: `translateY(${place.start}px)` }}
              >
                <Row
                  row={row}
                  open={opened.has(row.key)}
                  marked={row.key === mark}
                  featureId={featureId}
                  runId={runId}
                  toggle={flip}
                  shownAbove={shownAbove}
                />
              </div>
            );
          })}
        </div>
      </section>
      {!following && (
        <div className="pointer-events-none absolute inset-x-0 bottom-3 flex justify-center">
          <Button
            size="sm"
            className="pointer-events-auto rounded-full shadow-lift"
            onClick={() => {
              setMark(undefined);
              setFollowing(true);
              list.scrollToEnd();
            }}
          >
            <ArrowDown />
            {fresh > 0 ? s.live.news(fresh) : s.live.jump}
          </Button>
        </div>
      )}
    </div>
  );
});
