import { Link, type LinkProps } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

/** One place in the sidebar. */
export function NavItem({
  icon,
  label,
  count,
  countLabel,
  urgent,
  exact,
  ...link
}: Pick<LinkProps, "to" | "params" | "search"> & {
  icon: ReactNode;
  label: string;
  count?: number;
  /** What the number counts, for screen readers. */
  countLabel?: string;
  urgent?: boolean;
  exact?: boolean;
}) {
  return (
    <Link
      {...(link as LinkProps)}
      activeOptions={{ exact: exact ?? false, includeSearch: false }}
      activeProps={{ "data-current": "" }}
      className="group flex h-8 shrink-0 items-center gap-2.5 rounded-md px-2 text-muted text-sm transition-colors hover:bg-hover hover:text-ink data-current:bg-pressed data-current:font-medium data-current:text-ink [&_svg]:size-4 [&_svg]:shrink-0"
    >
      <span className="text-faint group-data-current:text-accent-text">{icon}</span>
      <span className="min-w-0 flex-1 truncate">{label}</span>
      {count !== undefined && count > 0 && (
        <span
          className={cn(
            "num rounded-full px-1.5 text-2xs leading-4.5",
            urgent ? "bg-accent font-semibold text-accent-ink" : "text-faint",
          )}
        >
          {count > 999 ? "999+" : count}
          {countLabel && <span className="sr-only"> {countLabel}</span>}
        </span>
      )}
    </Link>
  );
}
