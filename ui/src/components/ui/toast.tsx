import { type ComponentType, useEffect } from "react";
import { isDeclined } from "@/api/client";
import type { ApiError } from "@/api/error";
import { announce } from "@/lib/announce";
import { createStore } from "@/lib/store";
import { isOffline } from "@/live/socket";
import { t } from "@/strings";

/** A few words at the edge of the page. */
export interface Words {
  type: "done" | "error";
  title: string;
  description?: string;
  action?: { label: string; onClick: () => void };
  requestId?: string | null;
}

/** Those that were said before what shows them was here. */
const waiting: Words[] = [];
let show: ((words: Words) => void) | null = null;
const shower = createStore<ComponentType | null>(null);
let loading: Promise<void> | null = null;

/** Fetches what shows toasts. Should that fail, it is tried again with the next one. */
function load(): Promise<void> {
  loading ??= import("./toaster").then(
    (loaded) => shower.set(() => loaded.default),
    () => {
      loading = null;
      for (const words of waiting.splice(0)) announce(words.title);
    },
  );
  return loading;
}

function say(words: Words) {
  if (show !== null) return show(words);
  waiting.push(words);
  void load();
}

/** From now on toasts are shown by this. Returns how to stop. */
export function showBy(handler: (words: Words) => void): () => void {
  show = handler;
  for (const words of waiting.splice(0)) handler(words);
  return () => {
    if (show === handler) show = null;
  };
}

/** Short words at the edge of the page; callable from anywhere. */
export const toast = {
  done(title: string, description?: string, action?: { label: string; onClick: () => void }) {
    say({
      type: "done",
      title,
      ...(description === undefined ? {} : { description }),
      ...(action === undefined ? {} : { action }),
    });
  },
  error(title: string | undefined, error: ApiError, action?: Words["action"]) {
    if (isDeclined(error)) return;
    // The banner at the top says it already, for as long as it lasts.
    if (error.code === "offline" && isOffline()) return announce(error.detail);
    say({
      type: "error",
      title: title ?? t.common.wentWrong,
      description: error.detail,
      // What a member can mend is nothing to ask an operator about.
      requestId: error.status >= 500 || error.status === 0 ? error.requestId : null,
      ...(action === undefined ? {} : { action }),
    });
  },
};

const IDLE_MS = 1_500;

/** Where the toasts appear; once in the page. What shows them is fetched while nothing else is, or with the first one. */
export function Toaster() {
  const Shower = shower.use();
  useEffect(() => {
    const timer = setTimeout(() => void load(), IDLE_MS);
    return () => clearTimeout(timer);
  }, []);
  return Shower && <Shower />;
}
