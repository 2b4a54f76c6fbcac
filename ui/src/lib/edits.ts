import { useState } from "react";

interface Edit<V> {
  value: V;
  /** What stood there when it was first edited; `null` where it may be anything. */
  from: { value: V } | null;
}

export type Edits<T> = { [K in keyof T]?: Edit<T[K]> };

// A list's keys are React's alone.
const plain = (value: unknown) => JSON.stringify(value, (name, part) => (name === "key" ? undefined : part));
const same = (a: unknown, b: unknown) => plain(a) === plain(b);

/** The fields that are to become others. */
export function changesOf<T extends object>(now: T, edits: Edits<T>): Partial<T> {
  const changes: Partial<T> = {};
  for (const name of Object.keys(edits) as (keyof T)[]) {
    const edit = edits[name];
    if (edit !== undefined && !same(edit.value, now[name])) changes[name] = edit.value;
  }
  return changes;
}

/** The fields that somebody else changed since they were edited here, to something else. */
export function clashesOf<T extends object>(now: T, edits: Edits<T>): (keyof T)[] {
  return (Object.keys(changesOf(now, edits)) as (keyof T)[]).filter((name) => {
    const from = edits[name]?.from;
    return from != null && !same(from.value, now[name]);
  });
}

/**
 * A form over what holds `now`: each field shows that until it is edited here, whoever changes it meanwhile. Only what is another is sent,
 * so that of two who change different fields neither undoes the other's.
 */
export function useEdits<T extends object>(now: T) {
  const [edits, setEdits] = useState<Edits<T>>({});
  const draft = { ...now };
  for (const name of Object.keys(edits) as (keyof T)[]) {
    const edit = edits[name];
    if (edit !== undefined) draft[name] = edit.value;
  }
  const put = (part: Partial<T>, blind: boolean) =>
    setEdits((before) => {
      const next = { ...before };
      for (const name of Object.keys(part) as (keyof T)[]) {
        const from = blind ? null : (before[name]?.from ?? { value: now[name] });
        next[name] = { value: part[name] as T[keyof T], from } as Edits<T>[typeof name];
      }
      return next;
    });
  const changes = changesOf(now, edits);
  return {
    draft,
    /** What is to be sent. */
    changes,
    changed: Object.keys(changes).length > 0,
    clashes: clashesOf(now, edits),
    set: (part: Partial<T>) => put(part, false),
    /** The same, where what holds was changed along with it. */
    setAlong: (part: Partial<T>) => put(part, true),
    /** Takes what holds. */
    drop: (names: (keyof T)[]) =>
      setEdits((before) => {
        const next = { ...before };
        for (const name of names) delete next[name];
        return next;
      }),
    /** What was sent holds; what was edited since stays. */
    saved: (sent: Partial<T>) =>
      setEdits((before) => {
        const next = { ...before };
        for (const name of Object.keys(sent) as (keyof T)[])
          if (same(before[name]?.value, sent[name])) delete next[name];
        return next;
      }),
  };
}
