import { plural } from "@/lib/format";

/** What the board says of which card depends on which. */
export const graph = {
  title: "Dependencies",
  label: "Graph of dependencies",
  how: "As what",
  drawn: "Drawn",
  list: "List",
  completed: "Completed too",
  legend: "From left to right. A dashed arrow is still waited for.",
  chains: (chains: number, cards: number) => `${plural(cards, "card")} in ${plural(chains, "chain")}`,
  none: "No card depends on another",
  noneText:
    "What must be done first is named in a card, under “Depends on”. Cards that hang together so stand here.",
  noneOpen: "Of the cards that are not completed, none depends on another.",
  noneShown: "No card that is shown depends on another that is",
  noneShownText: "On this board some do: the filter hides what they hang together with.",
  toBoard: "To the board",
  leadsTo: (ends: string) => `Leads to ${ends}`,
  after: (cards: string) => `after ${cards}`,
  waitsFor: (cards: string) => `waits for ${cards}`,
  gone: (count: number) => (count === 1 ? "depends on a deleted card" : `depends on ${count} deleted cards`),
  more: (count: number) => `and ${count} more`,
  alone: (count: number) => `On ${count === 1 ? "its" : "their"} own: ${plural(count, "card")}`,
  aloneMore: (count: number) => `and ${count} more on the board`,
} as const;
