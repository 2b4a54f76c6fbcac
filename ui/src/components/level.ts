import { createContext } from "react";

/** The heading that parts of a view have: one below the view's own. */
export const Level = createContext<"h2" | "h3">("h2");
