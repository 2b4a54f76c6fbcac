import { Circle, CircleCheck, CircleDot } from "lucide-react";
import type { Task } from "@/api/types";
import { cn } from "@/lib/cn";
import { s } from "../strings";

/** The agent's tasks, and how far each is; where they come in phases, each phase begins with its name. */
export function TaskList({ tasks, className }: { tasks: readonly Task[]; className?: string }) {
  return (
    <ol className={cn("flex flex-col gap-1 py-0.5 text-sm", className)}>
      {tasks.map((task, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a task is what stands at its place.
        <li key={at} className="flex flex-wrap items-start gap-x-2">
          {task.phase !== undefined && task.phase !== tasks[at - 1]?.phase && (
            <span className={cn("w-full font-medium text-muted text-xs", at > 0 && "mt-2")}>
              {task.phase}
            </span>
          )}
          <TaskIcon status={task.status} />
          <span
            className={cn(
              "min-w-0 flex-1 [overflow-wrap:anywhere]",
              task.status === "completed" && "text-faint",
              task.status === "in_progress" && "font-medium",
              task.status === "pending" && "text-muted",
            )}
          >
            {task.title}
          </span>
        </li>
      ))}
    </ol>
  );
}

function TaskIcon({ status }: { status: Task["status"] }) {
  const Icon = status === "completed" ? CircleCheck : status === "in_progress" ? CircleDot : Circle;
  return (
    <>
      <Icon
        aria-hidden
        className={cn(
          "mt-[0.1875rem] size-3.5 shrink-0",
          status === "completed" ? "text-green" : status === "in_progress" ? "text-blue" : "text-faint",
        )}
      />
      <span className="sr-only">{s.live.taskStatus[status]}:</span>
    </>
  );
}

/** How much of a plan is done, as a bar. */
export function Bar({ done, all, className }: { done: number; all: number; className?: string }) {
  return (
    <span
      aria-hidden
      className={cn("inline-flex h-1.5 overflow-hidden rounded-full bg-grey-soft", className)}
    >
      <span
        className="rounded-full bg-accent transition-[width] duration-300"
        style={{ width: `${all === 0 ? 0 : (100 * done) / all}%` }}
      />
    </span>
  );
}
