import { createContext, use } from "react";
import { useMedia } from "@/lib/media";
import { persistent } from "@/lib/persistent";

/** Whether the sidebar shows signs alone. */
export const Rail = createContext(false);
export const useRail = () => use(Rail);

const chosen = persistent<"wide" | "rail" | null>("guildhall.sidebar", null);

/** Whether the sidebar is folded, and how to change it: as the member chose, and else where the page has little room. */
export function useFolded(): [folded: boolean, fold: (folded: boolean) => void] {
  const roomy = useMedia("(min-width: 64rem)");
  const choice = chosen.use();
  return [choice === null ? !roomy : choice === "rail", (folded) => chosen.set(folded ? "rail" : "wide")];
}
