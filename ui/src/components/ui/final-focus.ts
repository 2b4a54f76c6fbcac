import { useState } from "react";

/** What had the focus before the first of the windows that are open. */
let outside: Element | null = null;

/**
 * Where the focus goes when a window closes: to what had it when the window opened. A window that is still being fetched when it is
 * asked for, or that another one opens, has no trigger from which that could be known. Where that is gone, it goes to `otherwise`.
 */
export function useFinalFocus(open: boolean, otherwise?: () => Element | null) {
  const [was, setWas] = useState(false);
  const [before, setBefore] = useState<Element | null>(null);
  if (open !== was) {
    setWas(open);
    if (open) {
      const now = document.activeElement;
      // A menu gives the focus back by itself.
      const menu = now?.closest("[role=menu]") != null;
      if (now?.closest("[role=dialog], [role=alertdialog]") == null && !menu) outside = now;
      setBefore(menu ? null : now);
    }
  }
  return () => {
    if (before === null) return true;
    // A window takes its time to fade: who has gone on meanwhile is not called back.
    const now = document.activeElement;
    if (isThere(now) && now.closest("[role=dialog], [role=alertdialog]") === null) return false;
    return [before, outside].find(isThere) ?? [otherwise?.() ?? null].find(isThere) ?? true;
  };
}

function isThere(element: Element | null): element is HTMLElement {
  return (
    element instanceof HTMLElement &&
    element.isConnected &&
    element !== document.body &&
    element.closest("[data-closed]") === null
  );
}
