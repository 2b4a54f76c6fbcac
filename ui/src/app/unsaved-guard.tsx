import { type ShouldBlockFn, useBlocker } from "@tanstack/react-router";
import { Confirm } from "@/components/ui/dialog";
import { askToLeave, leaving, useAnyUnsaved } from "@/lib/unsaved";
import { t } from "@/strings";

/** What is shown: a view, and a card beside its board. Other tabs of either lose nothing. */
const shown = ({ pathname, search }: { pathname: string; search: object }) =>
  `${pathname} ${"f" in search ? search.f : ""}`;

// Whoever is signed out is led on.
const blocks: ShouldBlockFn = async ({ current, next }) =>
  shown(current) !== shown(next) && next.pathname !== "/login" && !(await askToLeave());

/** Asks before a view is left in which something would be lost; the browser asks when the page itself is. */
export function UnsavedGuard() {
  useBlocker({ shouldBlockFn: blocks, disabled: !useAnyUnsaved() });
  const question = leaving.use();
  return (
    <Confirm
      open={question !== null}
      onOpenChange={(open) => !open && leaving.get()?.answer(false)}
      title={t.unsaved.title}
      confirm={t.unsaved.leave}
      cancel={t.unsaved.stay}
      danger
      onConfirm={() => leaving.get()?.answer(true)}
    >
      {question?.text}
    </Confirm>
  );
}
