import { cn } from "@/lib/cn";
import * as words from "@/strings";

/** Three bars: high fills all of them. */
export function PriorityIcon({ priority, className }: { priority: number; className?: string }) {
  const filled = priority <= 1 ? 3 : priority === 2 ? 2 : 1;
  return (
    <svg
      viewBox="0 0 16 16"
      role="img"
      aria-label={`Priority: ${words.priority[priority] ?? priority}`}
      className={cn("size-4 shrink-0", priority <= 1 ? "text-amber" : "text-faint", className)}
    >
      <title>{`Priority: ${words.priority[priority] ?? priority}`}</title>
      {[0, 1, 2].map((bar) => (
        <rect
          key={bar}
          x={2 + bar * 4.5}
          y={10 - bar * 3.5}
          width="3"
          height={4 + bar * 3.5}
          rx="1"
          fill="currentColor"
          opacity={bar < filled ? 1 : 0.25}
        />
      ))}
    </svg>
  );
}
