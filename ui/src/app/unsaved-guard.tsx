import { type ShouldBlockFn, useBlocker } from "@tanstack/react-router";
import { askToLeave, useAnyUnsaved } from "@/lib/unsaved";

/** What is shown: a view, and a card beside its board. Other tabs of either lose nothing. */
const shown = ({ pathname, search }: { pathname: string; search: object }) =>
  `${pathname} ${"f" in search ? search.f : ""}`;

// Whoever is signed out is led on.
const blocks: ShouldBlockFn = async ({ current, next }) =>
  shown(current) !== shown(next) && next.pathname !== "/login" && !(await askToLeave());

/**
 * Holds the page before a view is left in which something would be lost, until that was asked; the browser asks when the page itself is left.
 * In the first script, so that it holds from the first letter on; the question comes when it is needed.
 */
export function UnsavedGuard() {
  useBlocker({ shouldBlockFn: blocks, disabled: !useAnyUnsaved() });
  return null;
}
