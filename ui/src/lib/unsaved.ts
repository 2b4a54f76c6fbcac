import { createContext, useCallback, useContext, useEffect, useId } from "react";
import { t } from "@/strings";
import { createStore } from "./store";

/** A part of the page that would lose something, and what. */
export interface Holder {
  id: string;
  text: string;
}

/** `holder` holds something, or, with no text, nothing any more. */
type Tell = (id: string, text: string | null) => void;

export const without = (holders: readonly Holder[], id: string) => holders.filter((other) => other.id !== id);

const holders = createStore<readonly Holder[]>([]);
/** The question whether to leave all the same: what would be lost, and where the answer goes. */
export const leaving = createStore<{ text: string; answer: (leave: boolean) => void } | null>(null);
/** The window around a form, which asks before it closes. */
export const AroundForm = createContext<Tell | null>(null);

const tellPage: Tell = (id, text) =>
  holders.set((before) => {
    if (text === null && !before.some((other) => other.id === id)) return before;
    return [...without(before, id), ...(text === null ? [] : [{ id, text }])];
  });

/** Whether anything on the page would be lost. */
export const useAnyUnsaved = () => holders.usePart((all) => all.length > 0);

export const anyUnsaved = () => holders.get().length > 0;

/** Asks whether to leave what would be lost. */
export function askToLeave(): Promise<boolean> {
  leaving.get()?.answer(false);
  return new Promise((resolve) => {
    leaving.set({
      text: holders.get().at(-1)?.text ?? t.unsaved.text,
      answer: (leave) => {
        leaving.set(null);
        resolve(leave);
      },
    });
  });
}

/**
 * While `dirty`, nobody leaves the page, or closes the window around the form, without being asked. Returns what lets go at once: to be
 * called before the page itself leads on after a save.
 */
export function useUnsaved(dirty: boolean, text: string = t.unsaved.text): () => void {
  const id = useId();
  const around = useContext(AroundForm);
  const tell = useCallback(
    (what: string | null) => {
      tellPage(id, what);
      around?.(id, what);
    },
    [id, around],
  );
  useEffect(() => {
    if (!dirty) return;
    tell(text);
    return () => tell(null);
  }, [dirty, tell, text]);
  return useCallback(() => tell(null), [tell]);
}
