import { useSyncExternalStore } from "react";

/** A value outside of React, for what several far apart parts of the page share. */
export function createStore<T>(initial: T) {
  let value = initial;
  const listeners = new Set<() => void>();
  const subscribe = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    get: () => value,
    set(next: T | ((value: T) => T)) {
      const before = value;
      value = typeof next === "function" ? (next as (value: T) => T)(value) : next;
      if (value !== before) for (const listener of [...listeners]) listener();
    },
    subscribe,
    use: () => useSyncExternalStore(subscribe, () => value),
    /** A part of it; the component is rendered anew only when that part is another. */
    usePart: <P>(part: (value: T) => P) => useSyncExternalStore(subscribe, () => part(value)),
  };
}

export type Store<T> = ReturnType<typeof createStore<T>>;
