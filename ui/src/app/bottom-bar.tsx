import { Link, type LinkProps } from "@tanstack/react-router";
import { BookOpen, Bot, ChartColumn, Inbox, Settings, SquareKanban, Users } from "lucide-react";
import type { ReactNode } from "react";
import { useActiveWork } from "@/features/attention";
import { cn } from "@/lib/cn";
import { t } from "@/strings";

function Place({
  icon,
  label,
  count,
  ...link
}: Pick<LinkProps, "to"> & { icon: ReactNode; label: string; count?: number }) {
  return (
    <Link
      {...(link as LinkProps)}
      activeOptions={{ exact: link.to === "/" }}
      activeProps={{ "data-current": "" }}
      className="relative flex min-w-0 flex-1 flex-col items-center justify-center gap-0.5 text-2xs text-faint data-current:text-accent-text [&_svg]:size-5"
    >
      {icon}
      <span className="max-w-full truncate">{label}</span>
      {count !== undefined && count > 0 && (
        <span className="num absolute top-1 left-[calc(50%+6px)] rounded-full bg-accent px-1 font-semibold text-[0.625rem] text-accent-ink leading-3.5">
          {count > 99 ? "99+" : count}
        </span>
      )}
    </Link>
  );
}

/** The sidebar's places on a narrow screen. */
export function BottomBar({ className }: { className?: string }) {
  const { attention } = useActiveWork();
  return (
    <nav
      aria-label="Main"
      className={cn(
        "flex h-14 shrink-0 border-line border-t bg-sidebar pb-[env(safe-area-inset-bottom)]",
        className,
      )}
    >
      <Place
        to="/"
        icon={<Inbox />}
        label={t.nav.inbox}
        count={attention.filter((card) => card.status !== "paused").length}
      />
      <Place to="/projects" icon={<SquareKanban />} label={t.nav.projects} />
      <Place to="/agents" icon={<Bot />} label="Agents" />
      <Place to="/knowledge" icon={<BookOpen />} label={t.nav.knowledge} />
      <Place to="/usage" icon={<ChartColumn />} label={t.nav.usage} />
      <Place to="/team" icon={<Users />} label={t.nav.team} />
      <Place to="/settings" icon={<Settings />} label={t.nav.settings} />
    </nav>
  );
}
