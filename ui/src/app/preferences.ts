import { api } from "@/api/calls";
import type { Me } from "@/api/types";
import { prefs } from "@/features/feature/changes/prefs";
import { chooseTheme, onThemeChoice, themeChoice } from "@/lib/theme";

type Preferences = Me["preferences"];

/** As this device has it. */
function here(): Preferences {
  const { layout, hideWhitespace, tree } = prefs.get();
  return { theme: themeChoice(), diffLayout: layout, hideWhitespace, diffTree: tree };
}

const same = (a: Preferences, b: Preferences) =>
  a.theme === b.theme &&
  a.diffLayout === b.diffLayout &&
  a.hideWhitespace === b.hideWhitespace &&
  a.diffTree === b.diffTree;

/**
 * Keeps how the member likes the page in step with the server: what is kept there comes to this device when the member
 * signs in, and what is changed here goes there. Returns how to stop.
 */
export function followPreferences(kept: Preferences): () => void {
  if (!same(kept, here())) {
    chooseTheme(kept.theme);
    prefs.set({ layout: kept.diffLayout, hideWhitespace: kept.hideWhitespace, tree: kept.diffTree });
  }
  let last = kept;
  const changed = () => {
    const now = here();
    if (same(now, last)) return;
    last = now;
    // On this device it holds all the same; the next change tries again.
    void api.updateMe({ preferences: now }).catch(() => {});
  };
  const stops = [onThemeChoice(changed), prefs.subscribe(changed)];
  return () => {
    for (const stop of stops) stop();
  };
}
