import { sentence } from "@/lib/format";

/** What the editor of a card says of its branch. */
export const branch = {
  label: "Branch",
  rule: "The branch of the card's work. Empty means one of its own, named after number and title. A branch that is there already, or that another card's unfinished work has, is refused when the card is started.",
  refused: (why: string) =>
    `${why.charAt(0).toUpperCase()}${sentence(why.slice(1))} Name another one, or leave it empty.`,
} as const;
