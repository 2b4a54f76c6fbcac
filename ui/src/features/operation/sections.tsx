import { Link, useRouterState } from "@tanstack/react-router";
import { useRef } from "react";
import { useMay } from "@/api/queries";
import { useInRow } from "@/lib/in-row";
import { words } from "./strings";

/** The sections of the page for whoever keeps the server running: where they are, and whether they are for admins alone. */
const SECTIONS = [
  { to: "/operation", label: words.overview, admin: true },
  { to: "/operation/alerts", label: words.alerts, admin: true },
  { to: "/operation/disk", label: words.diskSection, admin: true },
  { to: "/operation/backups", label: words.backups, admin: true },
  { to: "/operation/sandbox", label: words.sandbox, admin: false },
  { to: "/operation/limits", label: words.rateLimits, admin: false },
] as const;

export function Sections() {
  const admin = useMay("administer");
  const row = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useInRow(row, "[aria-current=page]", path);
  const shown = SECTIONS.filter((section) => admin || !section.admin);
  if (shown.length < 2) return null;
  return (
    <nav
      ref={row}
      aria-label={words.sections}
      className="mb-6 flex gap-1 overflow-x-auto border-line border-b scroll-none"
    >
      {shown.map(({ to, label }) => (
        <Link
          key={to}
          to={to}
          activeOptions={{ exact: true }}
          className="-outline-offset-2 flex h-9 shrink-0 items-center rounded-t-md border-transparent border-b-2 px-2.5 text-muted text-sm transition-colors hover:text-ink aria-[current=page]:border-accent aria-[current=page]:font-medium aria-[current=page]:text-ink"
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}
