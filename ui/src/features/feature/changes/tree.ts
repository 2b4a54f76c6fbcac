import type { DiffFile } from "@/api/types";

/** Where a changed file is now, or was, if it is gone. */
export const pathOf = (file: DiffFile) => (file.status === "deleted" ? file.oldPath : file.newPath);

export interface TreeFolder {
  kind: "folder";
  /** The whole path; its key. */
  path: string;
  /** What is shown: several folders at once where each holds only the next. */
  name: string;
  children: TreeNode[];
}
export interface TreeFile {
  kind: "file";
  path: string;
  name: string;
  file: DiffFile;
}
export type TreeNode = TreeFolder | TreeFile;

/** Files as a tree, folders first, folders that hold nothing but one folder joined with it. */
export function treeOf(files: readonly DiffFile[]): TreeNode[] {
  const root: TreeFolder = { kind: "folder", path: "", name: "", children: [] };
  const folders = new Map<string, TreeFolder>([["", root]]);
  const folder = (path: string): TreeFolder => {
    const known = folders.get(path);
    if (known !== undefined) return known;
    const cut = path.lastIndexOf("/");
    const made: TreeFolder = { kind: "folder", path, name: path.slice(cut + 1), children: [] };
    folders.set(path, made);
    folder(cut < 0 ? "" : path.slice(0, cut)).children.push(made);
    return made;
  };
  for (const file of files) {
    const path = pathOf(file);
    const cut = path.lastIndexOf("/");
    folder(cut < 0 ? "" : path.slice(0, cut)).children.push({
      kind: "file",
      path,
      name: path.slice(cut + 1),
      file,
    });
  }
  return tidy(root).children;
}

function tidy(folder: TreeFolder): TreeFolder {
  const children = folder.children
    .map((child) => (child.kind === "folder" ? join(tidy(child)) : child))
    .sort(
      (a, b) => Number(a.kind === "file") - Number(b.kind === "file") || a.name.localeCompare(b.name, "en"),
    );
  return { ...folder, children };
}

function join(folder: TreeFolder): TreeFolder {
  const [only] = folder.children;
  if (folder.children.length !== 1 || only?.kind !== "folder") return folder;
  return { ...only, name: `${folder.name}/${only.name}` };
}

/** The files of a tree in the order in which it shows them. */
export function filesOf(nodes: readonly TreeNode[]): DiffFile[] {
  return nodes.flatMap((node) => (node.kind === "file" ? [node.file] : filesOf(node.children)));
}

/** Whether a path is what is looked for: every word of the query occurs in it. */
export function matches(path: string, query: string): boolean {
  const lower = path.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => lower.includes(word));
}
