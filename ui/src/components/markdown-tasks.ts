/** What of a page's tree is of interest here. */
interface Node {
  type: string;
  tagName?: string;
  value?: string;
  properties?: Record<string, unknown>;
  children?: Node[];
}

const isList = ({ tagName }: Node) => tagName === "ul" || tagName === "ol";

/** What an item says, without the lists in it. */
const textOf = (node: Node): string =>
  node.value ?? (node.children ?? []).map((child) => (isList(child) ? "" : textOf(child))).join("");

function boxOf(item: Node): Node | undefined {
  for (const child of item.children ?? []) {
    if (child.tagName === "input") return child;
    const within = child.tagName === "p" ? boxOf(child) : undefined;
    if (within !== undefined) return within;
  }
  return undefined;
}

/** Names the box of each task by what the task is: no label stands around it. */
export function namedTasks() {
  return function name(tree: Node) {
    if (tree.tagName === "li") {
      const box = boxOf(tree);
      if (box !== undefined) box.properties = { ...box.properties, ariaLabel: textOf(tree).trim() };
    }
    for (const child of tree.children ?? []) name(child);
  };
}
