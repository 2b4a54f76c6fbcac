/** What the board says at first sight; of several cards at once `bulk-strings` has the words, of the graph `graph/strings`. */
export const board = {
  within: "In the description",
  selected: (count: number) => `${count} selected`,
  view: "View",
  columns: "Board",
  graph: "Graph",
} as const;
