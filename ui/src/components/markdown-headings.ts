/** What of a text's tree is of interest here. */
interface Node {
  type: string;
  depth?: number;
  children?: Node[];
  data?: { hProperties?: Record<string, string> };
}

function headings(node: Node): (Node & { depth: number })[] {
  const own = node.type === "heading" && node.depth !== undefined ? [node as Node & { depth: number }] : [];
  return [...own, ...(node.children ?? []).flatMap(headings)];
}

/** Puts a text's headings below that of the view around it, none left out; how large each is, its rank in the text says. */
export function headingsFrom(base: number) {
  return () => (tree: Node) => {
    const all = headings(tree);
    const ranks = [...new Set(all.map((heading) => heading.depth))].sort((a, b) => a - b);
    for (const heading of all) {
      const rank = ranks.indexOf(heading.depth);
      heading.depth = Math.min(6, base + rank);
      heading.data = { ...heading.data, hProperties: { className: `rank-${rank + 1}` } };
    }
  };
}
