import { BookOpen, Bot, FilePen, FlaskConical, Hammer, type LucideIcon, ScanSearch } from "lucide-react";
import { cn } from "@/lib/cn";

/** The signs of the agents that every team begins with, drawn: not every device has pictures for them. */
const drawn: Record<string, LucideIcon> = {
  "🔨": Hammer,
  "🔎": ScanSearch,
  "🧪": FlaskConical,
  "📚": BookOpen,
  "📝": FilePen,
};

/** The sign of an agent or a system; it says nothing that does not stand beside it. */
export function AgentSign({
  icon,
  className,
  otherwise = Bot,
}: {
  icon: string | null | undefined;
  className?: string;
  /** What is drawn where there is none. */
  otherwise?: LucideIcon;
}) {
  const Drawn = icon ? drawn[icon] : otherwise;
  return (
    <span aria-hidden className={cn("inline-flex items-center justify-center", className)}>
      {Drawn ? <Drawn className="size-[1em]" /> : icon}
    </span>
  );
}
