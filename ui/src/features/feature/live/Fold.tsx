import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

/** One line that opens to what lies behind it. */
export function Fold({
  open,
  onToggle,
  line,
  end,
  children,
  className,
}: {
  open: boolean;
  onToggle: () => void;
  line: ReactNode;
  /** At the right edge of the line. */
  end?: ReactNode;
  children?: ReactNode;
  className?: string;
}) {
  return (
    <div className={className}>
      <button
        type="button"
        aria-expanded={open}
        onClick={onToggle}
        className="group/fold -mx-1.5 flex min-h-7 w-[calc(100%+0.75rem)] items-center gap-2 rounded-md px-1.5 py-0.5 text-left text-sm hover:bg-hover"
      >
        <span className="flex min-w-0 flex-1 items-center gap-2">{line}</span>
        {end}
        <ChevronRight
          aria-hidden
          className={cn(
            "size-3.5 shrink-0 text-faint opacity-0 transition-transform duration-100 group-hover/fold:opacity-100 group-focus-visible/fold:opacity-100",
            open && "rotate-90 opacity-100",
          )}
        />
      </button>
      {open && <div className="mt-1 mb-2 ml-[0.4375rem] border-line border-l-2 pl-3.5">{children}</div>}
    </div>
  );
}
