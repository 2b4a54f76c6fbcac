import { cn } from "@/lib/cn";

/** How far a plan is, as a line. Without a plan the line only shows that work goes on. */
export function TaskLine({ done, total, className }: { done: number; total: number; className?: string }) {
  if (total === 0) {
    return (
      <div aria-hidden className={cn("h-1 overflow-hidden rounded-full bg-grey-soft", className)}>
        <div className="h-full w-1/3 animate-[slide_1.8s_ease-in-out_infinite] rounded-full bg-blue/60" />
      </div>
    );
  }
  return (
    <div
      role="progressbar"
      aria-label="Tasks done"
      aria-valuenow={done}
      aria-valuemin={0}
      aria-valuemax={total}
      aria-valuetext={`${done} of ${total} tasks done`}
      className={cn("h-1 overflow-hidden rounded-full bg-grey-soft", className)}
    >
      <div
        className="h-full rounded-full bg-blue transition-[width] duration-500"
        style={{ width: `${(done / total) * 100}%` }}
      />
    </div>
  );
}
