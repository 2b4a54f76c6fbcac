import { Link, type LinkProps, useRouterState } from "@tanstack/react-router";
import {
  Activity,
  Bell,
  BookOpen,
  Bot,
  ChartColumn,
  Ellipsis,
  Inbox,
  Library,
  LogOut,
  MessagesSquare,
  ScrollText,
  Search,
  Settings,
  SquareKanban,
  Users,
  Workflow,
} from "lucide-react";
import type { ReactNode } from "react";
import { useMay, useUnread } from "@/api/queries";
import { Menu, MenuItem, MenuSeparator } from "@/components/ui/menu";
import { useWaiting } from "@/features/attention";
import { t } from "@/strings";
import { useSignOut } from "./member-menu";
import { overlay } from "./overlay";

const place =
  "relative flex min-w-0 flex-1 flex-col items-center justify-center gap-0.5 text-2xs text-faint data-current:text-accent-text [&_svg]:size-5";

function Count({ of, label }: { of: number; label?: string }) {
  if (of === 0) return null;
  return (
    <span className="num absolute top-1 left-[calc(50%+6px)] rounded-full bg-accent px-1 font-semibold text-[0.625rem] text-accent-ink leading-3.5">
      {of > 99 ? "99+" : of}
      {label && <span className="sr-only"> {label}</span>}
    </span>
  );
}

function Place({
  icon,
  label,
  count = 0,
  ...link
}: Pick<LinkProps, "to"> & { icon: ReactNode; label: string; count?: number }) {
  return (
    <Link
      {...(link as LinkProps)}
      activeOptions={{ exact: link.to === "/" || link.to === "/agents" }}
      activeProps={{ "data-current": "" }}
      className={place}
    >
      {icon}
      <span className="max-w-full truncate">{label}</span>
      <Count of={count} />
    </Link>
  );
}

/** What has no room beside the others. */
const MORE = [
  { to: "/notifications", icon: <Bell />, label: t.nav.notifications },
  { to: "/agents-library", icon: <Library />, label: t.nav.library },
  { to: "/systems", icon: <Workflow />, label: t.nav.systems },
  { to: "/usage", icon: <ChartColumn />, label: t.nav.usage },
  { to: "/team", icon: <Users />, label: t.nav.team },
  { to: "/audit", icon: <ScrollText />, label: t.nav.audit, administers: true },
  { to: "/operation", icon: <Activity />, label: t.nav.operation, administers: true },
  { to: "/settings", icon: <Settings />, label: t.nav.settings },
] as const;

function More() {
  const unread = useUnread();
  const runs = useMay("administer");
  const leave = useSignOut();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const here = MORE.some(({ to }) => path === to || path.startsWith(`${to}/`));
  return (
    <Menu
      side="top"
      align="end"
      trigger={
        <button type="button" className={place} {...(here ? { "data-current": "" } : {})}>
          <Ellipsis aria-hidden />
          <span>{t.nav.more}</span>
          <Count of={unread} label={t.nav.unread} />
        </button>
      }
    >
      <MenuItem icon={<Search />} onClick={() => overlay.set("palette")}>
        {t.nav.search}
      </MenuItem>
      <MenuSeparator />
      {MORE.filter((one) => runs || !("administers" in one)).map(({ to, icon, label }) => (
        <MenuItem key={to} icon={icon} render={<Link to={to} />}>
          {label}
          {to === "/notifications" && unread > 0 && (
            <span className="num ml-1.5 text-accent-text text-xs">{unread > 99 ? "99+" : unread}</span>
          )}
        </MenuItem>
      ))}
      <MenuSeparator />
      <MenuItem icon={<LogOut />} onClick={() => void leave()}>
        {t.nav.signOut}
      </MenuItem>
    </Menu>
  );
}

/** The sidebar's places on a narrow screen. */
export default function BottomBar() {
  const waiting = useWaiting();
  return (
    <nav
      aria-label="Main"
      className="flex h-14 shrink-0 border-line border-t bg-sidebar pb-[env(safe-area-inset-bottom)]"
    >
      <Place to="/" icon={<Inbox />} label={t.nav.inbox} count={waiting} />
      <Place to="/projects" icon={<SquareKanban />} label={t.nav.projects} />
      <Place to="/chat" icon={<MessagesSquare />} label={t.nav.chat} />
      <Place to="/agents" icon={<Bot />} label="Agents" />
      <Place to="/knowledge" icon={<BookOpen />} label="Hub" />
      <More />
    </nav>
  );
}
