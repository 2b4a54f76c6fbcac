import { Link, type LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Tooltip } from "@/components/ui/tooltip";
import { cn } from "@/lib/cn";
import { useRail } from "./rail";

/** One place in the sidebar; on the rail its sign alone, with the name beside it on hover and for screen readers. */
export function NavItem({
  icon,
  label,
  count,
  countLabel,
  urgent,
  exact,
  current,
  ...link
}: Pick<LinkProps, "to" | "params" | "search"> & {
  icon: ReactNode;
  label: string;
  count?: number;
  /** What the number counts, for screen readers. */
  countLabel?: string;
  urgent?: boolean;
  exact?: boolean;
  /** A page that belongs to it, and has no place of its own, is shown. */
  current?: boolean;
}) {
  const rail = useRail();
  const item = (
    <Link
      {...(link as LinkProps)}
      activeOptions={{ exact: exact ?? false, includeSearch: false }}
      activeProps={{ "data-current": "" }}
      {...(current ? { "data-current": "" } : {})}
      className={cn(
        "group relative flex h-8 shrink-0 items-center gap-2.5 rounded-md px-2 text-muted text-sm transition-colors hover:bg-hover hover:text-ink data-current:bg-pressed data-current:font-medium data-current:text-ink [&_svg]:size-4 [&_svg]:shrink-0",
        rail && "justify-center px-0",
      )}
    >
      <span className="text-faint group-data-current:text-accent-text">{icon}</span>
      <span dir="auto" className={rail ? "sr-only" : "min-w-0 flex-1 truncate"}>
        {label}
      </span>
      {count !== undefined && count > 0 && (
        <span
          className={cn(
            "num rounded-full px-1.5 text-2xs leading-4.5",
            urgent ? "bg-accent font-semibold text-accent-ink" : "text-faint group-data-current:text-muted",
            rail && "absolute -top-1 -right-1 px-1 text-[0.625rem] leading-3.5",
          )}
        >
          {count > 999 ? "999+" : count}
          {countLabel && <span className="sr-only"> {countLabel}</span>}
        </span>
      )}
    </Link>
  );
  return rail ? (
    <Tooltip text={label} side="right">
      {item}
    </Tooltip>
  ) : (
    item
  );
}
