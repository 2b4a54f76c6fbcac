import { useEffect, useRef } from "react";

/**
 * The browser's own dialog: it lies over every other window, whatever that is, and gives the focus back to it. One that `stays` goes only with
 * what shows it.
 */
export function useModal({ stays = false } = {}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (element === null) return;
    const show = () => {
      if (element.isConnected && !element.open) element.showModal();
    };
    show();
    // The windows beneath and the page's keys listen on the document.
    const keep = (event: KeyboardEvent) => {
      event.stopPropagation();
      // Whether it may close, Chrome asks once, and then no more.
      if (stays && event.key === "Escape") event.preventDefault();
    };
    element.addEventListener("keydown", keep);
    // A phone's way back closes it as well.
    if (stays) element.addEventListener("close", show);
    return () => {
      element.removeEventListener("keydown", keep);
      element.removeEventListener("close", show);
      element.close();
    };
  }, [stays]);
  return dialog;
}
