import type { ProjectSource } from "@/api/types";

/** What a repository would be called, from where it is: `git@host:team/tool.git` → `tool`. */
export function nameFromUrl(url: string): string {
  const path = url
    .trim()
    .replace(/[?#].*$/, "")
    .replace(/[/\\]+$/, "");
  const last = path.split(/[/\\:]/).at(-1) ?? "";
  return /[/\\:]/.test(path) ? last.replace(/\.git$/i, "") : "";
}

/** Where a project came from, in words. */
export function sourceWords(source: ProjectSource): string {
  switch (source.kind) {
    case "clone":
      return source.url;
    case "empty":
      return "Made here";
    case "sample":
      return "The sample project";
  }
}
