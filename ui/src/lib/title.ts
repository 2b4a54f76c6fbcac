import { useEffect } from "react";
import { t } from "@/strings";
import { announce } from "./announce";

let name: string | undefined;
let count = 0;

function write() {
  if (name !== undefined) document.title = `${count > 0 ? `(${count}) ` : ""}${name} · ${t.app}`;
}

/** Names the view in the browser's tab and history, and to screen readers. */
export function useTitle(title: string | undefined) {
  useEffect(() => {
    if (title === undefined || title.trim() === "" || title === name) return;
    name = title;
    write();
    announce(title);
  }, [title]);
}

/** Shows in the browser's tab how much is unread. */
export function countInTitle(unread: number) {
  count = unread;
  write();
}
