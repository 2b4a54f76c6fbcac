import { useEffect, useRef, useState } from "react";
import { type Draft, type Kept, keptDraft, readKept, sameDraft } from "./draft";

const KEEP_MS = 250;

/** What is typed of an item: kept on this device until it is saved or discarded, whatever becomes of the page or of the view. */
export function useKept(key: string, fresh: () => Kept) {
  const kept = keptDraft(key);
  const [first] = useState(fresh);
  const [left, setLeft] = useState(() => readKept(kept.get()));
  const [state, setState] = useState(left ?? first);
  const changed = !sameDraft(state.draft, state.base);
  const over = useRef(false);
  const keep = useRef(() => {});
  useEffect(() => {
    keep.current = () => {
      if (!over.current) kept.set(changed ? state : null);
    };
    const timer = setTimeout(() => keep.current(), KEEP_MS);
    return () => clearTimeout(timer);
  }, [kept, state, changed]);
  // Whoever leads on leaves what was typed last, too.
  useEffect(() => () => keep.current(), []);
  return {
    ...state,
    changed,
    /** Whether one goes on with what was left here. */
    found: left !== null && changed,
    set: (part: Partial<Draft>) => setState((before) => ({ ...before, draft: { ...before.draft, ...part } })),
    setAll: setState,
    /** It is saved, or thrown away by whoever leaves: nothing is to be kept any more. */
    end: () => {
      over.current = true;
      kept.set(null);
    },
    /** Begins again with what there was before anything was typed. */
    discard: () => {
      kept.set(null);
      setLeft(null);
      setState(first);
    },
  };
}

/** Whether something was typed of an item and left. */
export const useIsKept = (key: string) => readKept(keptDraft(key).use()) !== null;

/** Under which key what is typed of an item is kept. */
export const keyOf = (itemId: string) => `item.${itemId}`;
