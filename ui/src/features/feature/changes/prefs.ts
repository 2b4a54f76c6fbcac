import { persistent } from "@/lib/persistent";

/** How a member likes changes to be shown. */
export interface Prefs {
  layout: "unified" | "split";
  hideWhitespace: boolean;
  tree: boolean;
}
const USUAL: Prefs = { layout: "unified", hideWhitespace: false, tree: true };

export const prefs = persistent<Prefs>("guildhall.diff", USUAL);
