import { Link } from "@tanstack/react-router";
import { cn } from "@/lib/cn";
import { d } from "./strings";
import type { Worktree } from "./sums";

/** Whose a worktree is: a card, which it leads to, or a chat or a task. */
export function WorkName({ worktree, className }: { worktree: Worktree; className?: string }) {
  const { kind, featureId, number, title } = worktree;
  if (kind !== "card") {
    return (
      <span className={className}>
        {kind === "chat" ? d.chat : d.task}: {title}
      </span>
    );
  }
  return (
    <Link to="/f/$featureId" params={{ featureId }} className={cn("hover:underline", className)}>
      #{number} {title}
    </Link>
  );
}
