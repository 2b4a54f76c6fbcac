import type { LiveStream } from "@/live/output";

/** Characters by which a place in one text is found in the other. */
const ANCHOR = 400;

/** What is kept of a log, and where in the live text goes on what comes after it. */
export interface Joined {
  kept: string;
  /** Of the live text: the first unit that is not in `kept`. */
  from: number;
}

/**
 * Finds where a live text, of which this page never got the beginning, goes on after what the server keeps. Nothing when the
 * live text reaches back further by itself.
 */
export function joinOf(kept: string, live: LiveStream): Joined | null {
  const end = kept.slice(-ANCHOR);
  const at = end === "" ? -1 : live.text.lastIndexOf(end);
  if (at >= 0) {
    const from = at + end.length;
    return from > kept.length ? null : { kept, from };
  }
  // What is kept may be ahead of what was shown.
  const shown = live.text.trimEnd().slice(-ANCHOR);
  const ahead = shown === "" ? -1 : kept.lastIndexOf(shown);
  if (ahead < 0) return kept.length < live.text.length ? null : { kept, from: live.text.length };
  return { kept, from: live.text.trimEnd().length + kept.length - (ahead + shown.length) };
}

/** The log as it is now. */
export const textOf = (joined: Joined | null, live: LiveStream): string =>
  joined === null ? live.text : joined.kept + live.text.slice(joined.from);
