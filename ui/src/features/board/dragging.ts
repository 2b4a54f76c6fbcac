import type * as Adapter from "@atlaskit/pragmatic-drag-and-drop/element/adapter";

/** Milliseconds after which it is fetched: the board is shown by then. */
const LATER_MS = 1_500;

let adapter: Promise<typeof Adapter> | null = null;

function fetched(): Promise<typeof Adapter> {
  adapter ??= new Promise<void>((resolve) => {
    const now = () => {
      clearTimeout(timer);
      removeEventListener("pointermove", now);
      resolve();
    };
    const timer = setTimeout(now, LATER_MS);
    // Whoever moves the pointer may be about to drag.
    addEventListener("pointermove", now);
  }).then(() => import("@atlaskit/pragmatic-drag-and-drop/element/adapter"));
  return adapter;
}

/** Uses drag and drop as soon as it is there; the first view does without it. Returns how to stop. */
export function dragging(use: (adapter: typeof Adapter) => () => void): () => void {
  let stop: (() => void) | null = null;
  let stopped = false;
  fetched().then(
    (adapter) => {
      if (!stopped) stop = use(adapter);
    },
    // Without it the menu and the keyboard do the same.
    () => {},
  );
  return () => {
    stopped = true;
    stop?.();
  };
}
