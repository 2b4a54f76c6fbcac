import { type RefObject, useEffect } from "react";

/** Scrolls a row sideways, and nothing else, so that one of what is in it is in sight. */
function show(row: HTMLElement, item: HTMLElement | null) {
  if (item === null || row.scrollWidth <= row.clientWidth) return;
  const left = item.getBoundingClientRect().left - row.getBoundingClientRect().left + row.scrollLeft;
  row.scrollTo({ left: left - (row.clientWidth - item.offsetWidth) / 2 });
}

/** Keeps what `selector` finds in a row in sight: when it is another (`which` says so), and when the row has another width. */
export function useInRow(row: RefObject<HTMLElement | null>, selector: string, which: unknown) {
  // biome-ignore lint/correctness/useExhaustiveDependencies: `which` says that the selector finds another
  useEffect(() => {
    const element = row.current;
    if (element === null) return;
    const watch = new ResizeObserver(() => show(element, element.querySelector(selector)));
    watch.observe(element);
    return () => watch.disconnect();
  }, [row, selector, which]);
}
