import { useEffect, useRef } from "react";

/** The browser's own dialog: it lies over every other window, whatever that is, and gives the focus back to it. */
export function useModal() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (element === null) return;
    if (!element.open) element.showModal();
    // The windows beneath and the page's keys listen on the document.
    const keep = (event: KeyboardEvent) => event.stopPropagation();
    element.addEventListener("keydown", keep);
    return () => {
      element.removeEventListener("keydown", keep);
      element.close();
    };
  }, []);
  return dialog;
}
