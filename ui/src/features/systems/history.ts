import { useCallback, useState } from "react";

/** What is typed into one place without a pause is taken back at once. */
const PAUSE_MS = 900;
const KEPT = 100;

interface History<T> {
  past: T[];
  now: T;
  future: T[];
  at: number;
  what: string;
}

/** A value whose changes can be taken back, and made again. `what` names the place of a change. */
export function useHistory<T>(first: T) {
  const [history, setHistory] = useState<History<T>>({ past: [], now: first, future: [], at: 0, what: "" });
  const change = useCallback((next: T, what: string) => {
    setHistory((old) => {
      if (next === old.now) return old;
      const at = Date.now();
      const goesOn = what !== "" && what === old.what && at - old.at < PAUSE_MS;
      const past = goesOn ? old.past : [...old.past, old.now].slice(-KEPT);
      return { past, now: next, future: [], at, what };
    });
  }, []);
  const undo = useCallback(() => {
    setHistory((old) => {
      const before = old.past.at(-1);
      if (before === undefined) return old;
      return { past: old.past.slice(0, -1), now: before, future: [old.now, ...old.future], at: 0, what: "" };
    });
  }, []);
  const redo = useCallback(() => {
    setHistory((old) => {
      const [next, ...future] = old.future;
      return next === undefined ? old : { past: [...old.past, old.now], now: next, future, at: 0, what: "" };
    });
  }, []);
  const reset = useCallback((value: T) => {
    setHistory({ past: [], now: value, future: [], at: 0, what: "" });
  }, []);
  return {
    now: history.now,
    change,
    undo,
    redo,
    reset,
    canUndo: history.past.length > 0,
    canRedo: history.future.length > 0,
  };
}
