import { useEffect } from "react";
import { t } from "@/strings";
import { announce } from "./announce";

/** Names the view in the browser's tab and history, and to screen readers. */
export function useTitle(title: string | undefined) {
  useEffect(() => {
    if (title === undefined || title.trim() === "") return;
    const whole = `${title} · ${t.app}`;
    if (document.title === whole) return;
    document.title = whole;
    announce(title);
  }, [title]);
}
