import { ChevronDown, ExternalLink } from "lucide-react";
import { memo, use, useState } from "react";
import { api } from "@/api/calls";
import type { DiffFile } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { count } from "@/lib/format";
import { Stat } from "../header/Facts";
import { Level } from "../level";
import { CopyButton } from "../live/TerminalBar";
import { s } from "../strings";
import { Body } from "./Body";
import { DiffContext } from "./context";
import { isLarge, rowCount } from "./hunks";
import { Lazy } from "./Lazy";
import { LINE } from "./Lines";
import { Media } from "./Media";
import { pathOf } from "./tree";

/** One changed file: its head stays in sight while its changes scroll. */
export const File = memo(function File({
  file,
  open,
  viewed,
  onOpen,
  onViewed,
}: {
  file: DiffFile;
  open: boolean;
  viewed: boolean;
  onOpen: (path: string, open: boolean) => void;
  onViewed: (path: string, viewed: boolean) => void;
}) {
  const path = pathOf(file);
  return (
    <section
      data-file={path}
      aria-label={path}
      className="scroll-mt-2 rounded-xl border border-line bg-surface shadow-card"
    >
      <Head file={file} path={path} open={open} viewed={viewed} onOpen={onOpen} onViewed={onViewed} />
      {open && (
        <div className="@container overflow-hidden rounded-b-xl">
          <Lazy height={rowCount(file.hunks) * LINE} keep>
            <Inside file={file} />
          </Lazy>
        </div>
      )}
    </section>
  );
});

function Head({
  file,
  path,
  open,
  viewed,
  onOpen,
  onViewed,
}: {
  file: DiffFile;
  path: string;
  open: boolean;
  viewed: boolean;
  onOpen: (path: string, open: boolean) => void;
  onViewed: (path: string, viewed: boolean) => void;
}) {
  const { featureId } = use(DiffContext);
  const Heading = use(Level);
  const cut = path.lastIndexOf("/") + 1;
  return (
    <div
      className={cn(
        "sticky top-0 z-2 flex h-10 items-center gap-2 rounded-t-xl bg-surface pr-2 pl-1.5",
        open ? "border-line border-b" : "rounded-b-xl",
      )}
    >
      <button
        type="button"
        aria-expanded={open}
        aria-label={open ? s.changes.collapse(path) : s.changes.expand(path)}
        onClick={() => onOpen(path, !open)}
        className="flex size-7 shrink-0 items-center justify-center rounded-md text-faint hover:bg-hover hover:text-ink"
      >
        <ChevronDown className={cn("size-4 transition-transform duration-100", !open && "-rotate-90")} />
      </button>
      <Heading className="flex min-w-0 items-center gap-1 font-mono text-xs">
        {file.status === "renamed" && file.oldPath !== file.newPath && (
          <>
            <span className="min-w-0 truncate text-faint" title={file.oldPath}>
              {file.oldPath}
            </span>
            <span className="text-faint">→</span>
          </>
        )}
        <span className="flex min-w-0" title={path}>
          <span className="min-w-0 truncate text-faint">{path.slice(0, cut)}</span>
          <span className={cn("shrink-0", file.status === "deleted" && "line-through")}>
            {path.slice(cut)}
          </span>
        </span>
      </Heading>
      <span className="hidden @md:inline">
        <CopyButton text={() => path} label={s.changes.copyPath} />
      </span>
      {file.status !== "modified" && (
        <Badge
          tone={file.status === "added" ? "green" : file.status === "deleted" ? "red" : "grey"}
          className="hidden @lg:inline-flex"
        >
          {s.changes.statuses[file.status]}
        </Badge>
      )}
      <Mode file={file} />
      <span className="flex-1" />
      <span className="shrink-0 text-xs">
        {!file.binary && <Stat added={file.additions} removed={file.deletions} />}
      </span>
      {file.status !== "deleted" && (
        <a
          href={api.fileUrl(featureId, file.newPath, "head")}
          target="_blank"
          rel="noopener"
          aria-label={`${s.changes.raw}: ${path}`}
          title={s.changes.raw}
          className="hidden size-7 shrink-0 items-center justify-center rounded-md text-faint hover:bg-hover hover:text-ink @xl:flex"
        >
          <ExternalLink className="size-3.5" />
        </a>
      )}
      <label className="flex h-7 shrink-0 select-none items-center gap-1.5 rounded-md px-1.5 text-muted text-xs hover:bg-hover">
        <input
          type="checkbox"
          checked={viewed}
          aria-label={s.changes.markViewed(path)}
          onChange={(event) => onViewed(path, event.target.checked)}
          className="size-3.5 accent-accent"
        />
        <span className="hidden @sm:inline">{s.changes.viewed}</span>
      </label>
    </div>
  );
}

/** A file's mode, where it changed. */
function Mode({ file }: { file: DiffFile }) {
  const { oldMode, newMode, status } = file;
  if (newMode === "120000" && oldMode !== newMode) {
    return (
      <Badge tone="violet" className="hidden @md:inline-flex">
        {s.changes.symlink}
      </Badge>
    );
  }
  if (status === "added" || status === "deleted" || oldMode === newMode) return null;
  const words =
    oldMode === "100644" && newMode === "100755"
      ? s.changes.executable
      : oldMode === "100755" && newMode === "100644"
        ? s.changes.notExecutable
        : s.changes.mode(oldMode, newMode);
  return (
    <Badge tone="amber" className="hidden @md:inline-flex" title={s.changes.mode(oldMode, newMode)}>
      {words}
    </Badge>
  );
}

function Inside({ file }: { file: DiffFile }) {
  const [shown, setShown] = useState(!isLarge(file));
  const { featureId } = use(DiffContext);
  if (file.binary) return <Media file={file} />;
  if (file.hunks.length === 0 && !file.tooLarge) {
    return <p className="px-4 py-3 text-faint text-sm">{nothing(file)}</p>;
  }
  if (!shown) {
    return (
      <p className="flex items-center gap-2 px-4 py-3 text-faint text-sm">
        {s.changes.large(count(file.additions + file.deletions))}
        <Button size="sm" onClick={() => setShown(true)}>
          {s.changes.show}
        </Button>
      </p>
    );
  }
  return (
    <>
      <Body file={file} />
      {file.tooLarge && (
        <p className="flex flex-wrap items-center gap-2 border-line border-t bg-amber-soft px-4 py-2 text-sm">
          {s.changes.tooLarge}
          {file.status !== "deleted" && (
            <a
              className="text-accent-text underline"
              href={api.fileUrl(featureId, file.newPath, "head")}
              target="_blank"
              rel="noopener"
            >
              {s.changes.raw}
            </a>
          )}
        </p>
      )}
    </>
  );
}

/** Why a changed file has no changed lines. */
function nothing(file: DiffFile): string {
  if (file.status === "renamed") return s.changes.moved;
  if (file.status === "typeChanged") return s.changes.typeOnly;
  if (file.status === "modified" && file.oldMode !== file.newMode) return s.changes.modeOnly;
  return s.changes.empty;
}
