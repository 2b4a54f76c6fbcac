import { useCallback, useSyncExternalStore } from "react";
import type { OutputStream, RunEvent, RunOutput } from "@/api/types";

/** One live stream of a run: words or output that are not stored yet. */
export interface LiveStream {
  key: string;
  turn: number;
  stream: OutputStream;
  text: string;
  /** Characters at the beginning that this page never got. */
  missing: number;
}

const EMPTY: readonly LiveStream[] = [];
const runs = new Map<string, readonly LiveStream[]>();
const listeners = new Map<string, Set<() => void>>();
const dirty = new Set<string>();

/** The name of a stream within its run. */
export function streamKey(turn: number, stream: OutputStream): string {
  switch (stream.kind) {
    case "tool":
      return `${turn}:tool:${stream.call}`;
    case "check":
      return `${turn}:check:${stream.command}`;
    case "service":
      return `service:${stream.service}`;
    default:
      return `${turn}:${stream.kind}:${stream.block}`;
  }
}

function set(runId: string, streams: readonly LiveStream[]) {
  if (streams.length === 0) runs.delete(runId);
  else runs.set(runId, streams);
  dirty.add(runId);
}

/** Adds one piece to its stream. Offsets count characters (code points), so a piece that came twice is not shown twice. */
export function addOutput(output: RunOutput) {
  const key = streamKey(output.turn, output.stream);
  const streams = runs.get(output.runId) ?? EMPTY;
  const at = streams.findIndex((entry) => entry.key === key);
  const before = streams[at];
  if (before === undefined) {
    set(output.runId, [
      ...streams,
      { key, turn: output.turn, stream: output.stream, text: output.text, missing: output.offset },
    ]);
    return;
  }
  const have = before.missing + codePoints(before.text);
  let after: LiveStream;
  if (output.offset === have) after = { ...before, text: before.text + output.text };
  else if (output.offset > have) {
    // A part is lost for good: go on from what is there.
    after = { ...before, text: output.text, missing: output.offset };
  } else if (output.offset <= before.missing) {
    // The server sent the stream from (nearer) its beginning once more.
    if (output.offset + codePoints(output.text) < have) return;
    after = { ...before, text: output.text, missing: output.offset };
  } else {
    const keep = [...before.text].slice(0, output.offset - before.missing).join("");
    if (output.offset + codePoints(output.text) < have) return;
    after = { ...before, text: keep + output.text };
  }
  set(output.runId, streams.with(at, after));
}

function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit <= 0xdbff && i + 1 < text.length) {
      count -= 1;
      i += 1;
    }
  }
  return count;
}

/** Drops the streams that a stored event takes the place of. */
export function settle(runId: string, event: RunEvent) {
  const streams = runs.get(runId);
  if (streams === undefined) return;
  const gone = (entry: LiveStream): boolean => {
    const { kind } = entry.stream;
    switch (event.kind) {
      case "text":
      case "thinking":
        return entry.turn <= event.turn && kind === event.kind;
      case "tool_finished":
        return entry.stream.kind === "tool" && entry.stream.call === event.call;
      case "turn_saved":
        return entry.turn <= event.turn && (kind === "text" || kind === "thinking");
      case "check":
        return (
          entry.stream.kind === "check" &&
          entry.stream.command === event.check.command &&
          event.check.status !== "running"
        );
      case "started":
      case "ended":
        // What a service prints ends with the service.
        return kind !== "service";
      default:
        return false;
    }
  };
  const left = streams.filter((entry) => !gone(entry));
  if (left.length !== streams.length) set(runId, left);
}

/** Drops what a service printed that has ended: it is stored now. */
export function dropService(runId: string, service: string) {
  const streams = runs.get(runId);
  const left = streams?.filter((entry) => entry.key !== `service:${service}`);
  if (left !== undefined && left.length !== streams?.length) set(runId, left);
}

/** Tells whoever looks at a run that changed. Called once for a batch of frames. */
export function flushOutput() {
  for (const runId of dirty) for (const listener of listeners.get(runId) ?? []) listener();
  dirty.clear();
}

export function clearOutput() {
  for (const runId of [...runs.keys()]) set(runId, EMPTY);
  flushOutput();
}

export function liveOutput(runId: string): readonly LiveStream[] {
  return runs.get(runId) ?? EMPTY;
}

/** The live streams of a run, in the order in which they began; empty when nothing is being written. */
export function useLiveOutput(runId: string | null | undefined): readonly LiveStream[] {
  const subscribe = useCallback(
    (listener: () => void) => {
      if (!runId) return () => {};
      const set = listeners.get(runId) ?? new Set();
      set.add(listener);
      listeners.set(runId, set);
      return () => {
        set.delete(listener);
        if (set.size === 0) listeners.delete(runId);
      };
    },
    [runId],
  );
  return useSyncExternalStore(subscribe, () => (runId ? liveOutput(runId) : EMPTY));
}
