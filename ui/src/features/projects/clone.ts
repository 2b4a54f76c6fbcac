import type { Project } from "@/api/types";

/** A name that stands in an address, and as a folder, as it is. */
const PLAIN = /^[a-z0-9][a-z0-9._-]*$/i;

/** What a project's name leaves for a folder: git would call it by the id. */
const folderOf = (name: string): string =>
  name
    .normalize("NFKD")
    .replace(/[^a-zA-Z0-9._-]+/g, "-")
    .replace(/^[^a-zA-Z0-9]+|[^a-zA-Z0-9]+$/g, "")
    .slice(0, 60) || "project";

/** The line by which a git program copies a project: by its name where that needs no quoting, else by its id. */
export const cloneLine = (origin: string, { id, name }: Pick<Project, "id" | "name">): string =>
  PLAIN.test(name)
    ? `git clone ${origin}/git/${name}.git`
    : `git clone ${origin}/git/${id}.git ${folderOf(name)}`;
