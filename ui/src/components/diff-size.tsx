import { cn } from "@/lib/cn";
import { count, plural } from "@/lib/format";

/** How much a piece of work changes. */
export function DiffSize({
  files,
  added,
  removed,
  className,
}: {
  files: number;
  added: number;
  removed: number;
  className?: string;
}) {
  if (files === 0) return null;
  return (
    <span
      title={`${plural(files, "file")} changed, ${plural(added, "line")} added, ${plural(removed, "line")} removed`}
      className={cn("num inline-flex gap-1 font-mono", className)}
    >
      {added > 0 && <span className="text-green">+{count(added)}</span>}
      {removed > 0 && <span className="text-red">−{count(removed)}</span>}
      {added === 0 && removed === 0 && <span>±0</span>}
    </span>
  );
}
