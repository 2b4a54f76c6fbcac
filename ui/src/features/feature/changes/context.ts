import { createContext } from "react";
import type { Diff } from "@/api/types";
import type { Comments } from "./comment-state";

/** What every part of a diff needs to know. */
export interface DiffShown {
  featureId: string;
  diff: Diff;
  comments: Comments;
  /** Whether the reader may ask for changes. */
  mayComment: boolean;
  split: boolean;
  hideWhitespace: boolean;
}

// Nothing is drawn outside of a provider.
export const DiffContext = createContext<DiffShown>(undefined as never);
