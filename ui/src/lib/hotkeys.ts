import { useEffect, useRef } from "react";

export type Hotkeys = Record<string, (event: KeyboardEvent) => void>;

const SEQUENCE_MS = 900;
let prefix: { key: string; at: number } | null = null;

/** Writes a key press as `c`, `shift+x`, `mod+k`, `enter`, `esc`, `arrowdown`; `?` and its like as they are typed. */
export function keyName(event: KeyboardEvent): string {
  const key = event.key === "Escape" ? "esc" : event.key === " " ? "space" : event.key.toLowerCase();
  const printable = event.key.length === 1 && !/[a-z0-9 ]/i.test(event.key);
  const parts: string[] = [];
  if (event.metaKey || event.ctrlKey) parts.push("mod");
  if (event.altKey && !printable) parts.push("alt");
  if (event.shiftKey && !printable) parts.push("shift");
  parts.push(key);
  return parts.join("+");
}

/** Whether keys are meant for what is written or chosen there. */
export function typing(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    // A window that is closing may still hold the focus; what is typed then is meant for the page.
    target.closest("[data-closed]") === null &&
    target.closest(
      "input, textarea, select, [contenteditable=true], [role=menu], [role=listbox], [role=combobox]",
    ) !== null
  );
}

/** Whether a window lies over the page, outside of which keys mean nothing. */
function covered(target: EventTarget | null): boolean {
  if (
    target instanceof Element &&
    target.closest("[role=dialog]:not([data-closed]), [role=alertdialog]:not([data-closed])") !== null
  )
    return true;
  return document.querySelector("[role=dialog][data-open], [role=alertdialog][data-open]") !== null;
}

const blockers = new Set<() => boolean>();

/** Silences all keys while `when` holds, such as for a window that is still on its way. */
export function blockHotkeys(when: () => boolean): () => void {
  blockers.add(when);
  return () => blockers.delete(when);
}

/**
 * Keys that do something while a component is mounted. Keys typed into a field are left alone, unless they hold `mod`.
 * `g i` means one after the other. What handled a key calls it prevented; later listeners then leave it alone.
 */
export function useHotkeys(map: Hotkeys, { enabled = true, overDialogs = false } = {}) {
  const latest = useRef(map);
  useEffect(() => {
    latest.current = map;
  });
  useEffect(() => {
    if (!enabled) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      const name = keyName(event);
      const modified = name.startsWith("mod+");
      if (!modified && typing(event.target)) return;
      if (!overDialogs && (covered(event.target) || [...blockers].some((blocks) => blocks()))) return;
      // Enter and Space belong to the button or link that has the focus.
      if ((name === "enter" || name === "space") && event.target instanceof Element) {
        if (event.target.closest("button, a[href], [role=button], [role=tab], [role=switch], summary"))
          return;
      }
      const sequence =
        prefix !== null && Date.now() - prefix.at < SEQUENCE_MS ? `${prefix.key} ${name}` : null;
      const handler = (sequence && latest.current[sequence]) || latest.current[name];
      if (handler !== undefined) {
        prefix = null;
        event.preventDefault();
        handler(event);
      } else if (Object.keys(latest.current).some((key) => key.startsWith(`${name} `))) {
        prefix = { key: name, at: Date.now() };
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [enabled, overDialogs]);
}
