import { createContext } from "react";

/** The heading that parts of the view have: one below the title, which is `h1` on a page of its own and `h2` beside a board. */
export const Level = createContext<"h2" | "h3">("h3");
