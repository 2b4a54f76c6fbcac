import { Check, ChevronDown, Folder, MessageSquareText, Search } from "lucide-react";
import { useId, useMemo, useState } from "react";
import type { DiffFile, FileStatus } from "@/api/types";
import { cn } from "@/lib/cn";
import { count } from "@/lib/format";
import { s } from "../strings";
import { matches, pathOf, type TreeNode, treeOf } from "./tree";

const TONES: Record<FileStatus, string> = {
  added: "text-green",
  modified: "text-amber",
  deleted: "text-red",
  renamed: "text-blue",
  typeChanged: "text-violet",
};

/** The changed files as a tree, with a filter. */
export function Tree({
  files,
  current,
  viewed,
  commented,
  onChoose,
  className,
}: {
  files: readonly DiffFile[];
  current: string | null;
  viewed: (file: DiffFile) => boolean;
  /** How many comments wait on a file. */
  commented: (path: string) => number;
  onChoose: (path: string) => void;
  className?: string;
}) {
  const [query, setQuery] = useState("");
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const id = useId();
  const shown = useMemo(() => files.filter((file) => matches(pathOf(file), query)), [files, query]);
  const tree = useMemo(() => treeOf(shown), [shown]);
  const fold = (path: string) =>
    setFolded((before) => {
      const next = new Set(before);
      if (!next.delete(path)) next.add(path);
      return next;
    });

  const draw = (nodes: readonly TreeNode[], depth: number): React.ReactNode =>
    nodes.map((node) => {
      const indent = { paddingLeft: `${0.5 + depth * 0.75}rem` };
      if (node.kind === "folder") {
        const open = query !== "" || !folded.has(node.path);
        return (
          <li key={node.path}>
            <button
              type="button"
              aria-expanded={open}
              onClick={() => fold(node.path)}
              style={indent}
              className="flex h-7 w-full items-center gap-1.5 rounded-md pr-2 text-left text-muted text-xs hover:bg-hover"
            >
              <ChevronDown aria-hidden className={cn("size-3 shrink-0 text-faint", !open && "-rotate-90")} />
              <Folder aria-hidden className="size-3.5 shrink-0 text-faint" />
              <span className="min-w-0 truncate" title={node.path}>
                {node.name}
              </span>
            </button>
            {open && <ul>{draw(node.children, depth + 1)}</ul>}
          </li>
        );
      }
      const seen = viewed(node.file);
      const waiting = commented(node.path);
      return (
        <li key={node.path}>
          <button
            type="button"
            aria-current={node.path === current}
            onClick={() => onChoose(node.path)}
            style={indent}
            title={node.path}
            className={cn(
              "flex h-7 w-full items-center gap-1.5 rounded-md pr-2 text-left text-xs hover:bg-hover",
              node.path === current && "bg-selected",
            )}
          >
            <span
              role="img"
              aria-label={s.changes.statuses[node.file.status]}
              className={cn("w-3 shrink-0 text-center font-mono text-2xs", TONES[node.file.status])}
            >
              {s.changes.letters[node.file.status]}
            </span>
            <span className={cn("min-w-0 flex-1 truncate", seen && "text-faint")}>{node.name}</span>
            {waiting > 0 && (
              <MessageSquareText aria-label={s.say.comments(waiting)} className="size-3 text-accent-text" />
            )}
            {seen ? (
              <Check aria-label={s.changes.viewed} className="size-3.5 shrink-0 text-green" />
            ) : (
              !node.file.binary && (
                <span aria-hidden className="num flex shrink-0 gap-1 text-2xs">
                  {node.file.additions > 0 && (
                    <span className="text-green">+{count(node.file.additions)}</span>
                  )}
                  {node.file.deletions > 0 && <span className="text-red">−{count(node.file.deletions)}</span>}
                </span>
              )
            )}
          </button>
        </li>
      );
    });

  return (
    <nav aria-label={s.changes.fileTree} className={cn("flex min-h-0 flex-col", className)}>
      {files.length > 4 && (
        <div className="flex items-center gap-1.5 px-2 pb-2">
          <div className="flex h-7 flex-1 items-center gap-1.5 rounded-md border border-line bg-surface px-2 focus-within:border-ring">
            <Search aria-hidden className="size-3.5 shrink-0 text-faint" />
            <label htmlFor={id} className="sr-only">
              {s.changes.filter}
            </label>
            <input
              id={id}
              value={query}
              placeholder={s.changes.filter}
              onChange={(event) => setQuery(event.target.value)}
              onKeyDown={(event) => {
                if (event.key !== "Escape" || query === "") return;
                event.stopPropagation();
                setQuery("");
              }}
              className="min-w-0 flex-1 bg-transparent text-xs outline-none placeholder:text-faint"
            />
          </div>
        </div>
      )}
      <ul className="min-h-0 flex-1 overflow-y-auto px-1.5 pb-2 scroll-thin">{draw(tree, 0)}</ul>
      {shown.length === 0 && <p className="px-3 py-2 text-faint text-xs">{s.changes.noMatch}</p>}
    </nav>
  );
}
