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
      <span className="text-green">+{count(added)}</span>
      <span className="text-red">−{count(removed)}</span>
    </span>
  );
}
