import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import type { DiffFile } from "@/api/types";
import { pathOf } from "./tree";

/** Which file is at the top of what is in sight, and ways to go to another. */
export function useCurrentFile(scroller: RefObject<HTMLElement | null>, files: readonly DiffFile[]) {
  const [current, setCurrent] = useState<string | null>(null);
  // The last files cannot reach the top: whoever went to one is there all the same, until they scroll themselves.
  const went = useRef(false);

  useEffect(() => {
    const box = scroller.current;
    if (box === null) return;
    let frame = 0;
    const look = () => {
      frame = 0;
      if (went.current) return;
      const top = box.getBoundingClientRect().top + 24;
      let at: string | null = null;
      for (const section of box.querySelectorAll<HTMLElement>("[data-file]")) {
        if (at !== null && section.getBoundingClientRect().top > top) break;
        at = section.dataset.file ?? null;
      }
      setCurrent(at);
    };
    const onScroll = () => {
      frame ||= requestAnimationFrame(look);
    };
    const byHand = () => {
      went.current = false;
    };
    look();
    const hands = ["wheel", "touchmove", "pointerdown", "keydown"] as const;
    for (const name of hands) box.addEventListener(name, byHand, { passive: true });
    box.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      for (const name of hands) box.removeEventListener(name, byHand);
      box.removeEventListener("scroll", onScroll);
    };
  }, [scroller]);

  const goTo = useCallback(
    (path: string) => {
      const section = scroller.current?.querySelector<HTMLElement>(`[data-file="${CSS.escape(path)}"]`);
      went.current = true;
      section?.scrollIntoView({ block: "start" });
      setCurrent(path);
    },
    [scroller],
  );
  const step = useCallback(
    (by: 1 | -1) => {
      const at = files.findIndex((file) => pathOf(file) === current);
      const next = files[Math.max(0, Math.min(files.length - 1, at + by))];
      if (next !== undefined) goTo(pathOf(next));
    },
    [files, current, goTo],
  );
  return { current, goTo, step };
}
