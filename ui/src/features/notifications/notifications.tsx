import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, type LinkProps } from "@tanstack/react-router";
import {
  Bell,
  Check,
  CheckCheck,
  CircleAlert,
  CircleCheckBig,
  CircleStop,
  ClipboardList,
  Coins,
  Hourglass,
  type LucideIcon,
  PauseCircle,
  Plug,
  Settings,
  Sunrise,
  TriangleAlert,
  Unplug,
  UserRoundCheck,
} from "lucide-react";
import { useMemo, useState } from "react";
import { queries, useProjects, useUnread } from "@/api/queries";
import type { Notification, NotificationKind } from "@/api/types";
import { More } from "@/components/more";
import { Page } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Segments } from "@/components/ui/segments";
import { Skeleton } from "@/components/ui/skeleton";
import { announce } from "@/lib/announce";
import { cn } from "@/lib/cn";
import { useHotkeys } from "@/lib/hotkeys";
import { Time } from "@/lib/time";
import { told } from "@/strings";
import { words } from "./strings";
import { useRead } from "./use-read";

const ICONS: Record<NotificationKind, { icon: LucideIcon; color: string }> = {
  "card.waits": { icon: Hourglass, color: "text-amber" },
  "card.verified": { icon: CircleCheckBig, color: "text-green" },
  "card.failed": { icon: CircleAlert, color: "text-red" },
  "plan.ready": { icon: ClipboardList, color: "text-amber" },
  "review.waits": { icon: UserRoundCheck, color: "text-amber" },
  "execution.completed": { icon: CircleCheckBig, color: "text-green" },
  "execution.failed": { icon: CircleAlert, color: "text-red" },
  "auto-mode.paused": { icon: PauseCircle, color: "text-red" },
  "runs.stopped": { icon: CircleStop, color: "text-red" },
  "budget.reached": { icon: Coins, color: "text-red" },
  "morning-report.ready": { icon: Sunrise, color: "text-accent-text" },
  "webhook.off": { icon: Unplug, color: "text-red" },
  "mcp-server.tools-changed": { icon: Plug, color: "text-amber" },
  "alert.warning": { icon: TriangleAlert, color: "text-amber" },
  "alert.critical": { icon: CircleAlert, color: "text-red" },
  "alert.cleared": { icon: CircleCheckBig, color: "text-green" },
};

/** Where one sees what a notification is about. */
function target(one: Notification): LinkProps {
  if (one.executionId) return { to: "/executions/$executionId", params: { executionId: one.executionId } };
  if (one.projectId && one.featureId)
    return { to: "/p/$projectId", params: { projectId: one.projectId }, search: { f: one.featureId } };
  if (one.projectId && one.kind === "mcp-server.tools-changed")
    return { to: "/p/$projectId/settings", params: { projectId: one.projectId }, hash: "mcp-servers" };
  if (one.projectId) return { to: "/p/$projectId", params: { projectId: one.projectId } };
  if (one.kind === "mcp-server.tools-changed") return { to: "/settings", hash: "team-mcp-servers" };
  if (one.kind === "budget.reached") return { to: "/usage", hash: "budgets" };
  if (one.kind === "webhook.off") return { to: "/settings", hash: "notifications" };
  if (one.alertId) return { to: "/operation/alerts" };
  return { to: "/" };
}

/** What the member was told, the latest first. */
export function Notifications() {
  const [unreadOnly, setUnreadOnly] = useState(false);
  const list = useInfiniteQuery(queries.notifications(unreadOnly));
  const unread = useUnread();
  const read = useRead();
  const projects = useProjects().data;
  const names = useMemo(() => new Map(projects?.map((project) => [project.id, project.name])), [projects]);
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const readAll = () => {
    const latest = Math.max(...items.map((one) => one.seq));
    if (unread === 0 || items.length === 0) return;
    read.mutate({ upTo: latest }, { onSuccess: () => announce(words.wereRead) });
  };
  const rows = () => [...document.querySelectorAll<HTMLElement>("[data-notification]")];
  const step = (by: number) => {
    const all = rows();
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
  };
  const readFocused = () => {
    const id = (document.activeElement as HTMLElement | null)?.dataset.notification;
    if (id !== undefined && items.some((one) => one.id === id && one.readAt === null)) read.mutate({ id });
  };
  useHotkeys({
    j: () => step(1),
    k: () => step(-1),
    arrowdown: () => step(1),
    arrowup: () => step(-1),
    e: readFocused,
    "shift+e": readAll,
  });
  return (
    <Page
      title={words.title}
      lead={words.lead}
      actions={
        <>
          <Button onClick={readAll} disabled={unread === 0 || items.length === 0} busy={read.isPending}>
            <CheckCheck /> {words.readAll}
          </Button>
          <Link
            to="/settings"
            hash="notifications"
            aria-label={words.settings}
            title={words.settings}
            className="flex size-8 items-center justify-center rounded-md text-faint hover:bg-hover hover:text-ink"
          >
            <Settings aria-hidden className="size-4" />
          </Link>
        </>
      }
    >
      <Segments<"all" | "unread">
        label={words.which}
        value={unreadOnly ? "unread" : "all"}
        onChange={(which) => setUnreadOnly(which === "unread")}
        options={[
          { value: "all", label: words.all },
          { value: "unread", label: words.unread, count: unread },
        ]}
        className="mb-4"
      />
      {list.isError && items.length === 0 ? (
        <ErrorState error={list.error} onRetry={() => void list.refetch()} />
      ) : list.isPending ? (
        <div className="flex flex-col gap-2">
          {[0, 1, 2, 3].map((n) => (
            <Skeleton key={n} className="h-15 rounded-lg" />
          ))}
        </div>
      ) : items.length === 0 ? (
        <Empty icon={<Bell />} title={unreadOnly ? words.noneUnread : words.none}>
          {unreadOnly ? words.noneUnreadHelp : words.noneHelp}
        </Empty>
      ) : (
        <>
          <ul
            aria-label={words.title}
            className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface shadow-card"
          >
            {items.map((one) => (
              <Row
                key={one.id}
                one={one}
                project={one.projectId ? names.get(one.projectId) : undefined}
                onRead={() => read.mutate({ id: one.id })}
              />
            ))}
          </ul>
          <More list={list}>{words.more}</More>
        </>
      )}
    </Page>
  );
}

function Row({
  one,
  project,
  onRead,
}: {
  one: Notification;
  /** Whose card it is about: numbers count within a project. */
  project: string | undefined;
  onRead: () => void;
}) {
  const { icon: Icon, color } = ICONS[one.kind];
  const unread = one.readAt === null;
  const headline =
    one.subject === "" ? told[one.kind] : `${one.subject}${one.featureId ? "" : ":"} ${told[one.kind]}`;
  return (
    <li
      className={cn(
        "group relative flex items-start gap-3 px-4 py-3 hover:bg-hover has-[[data-notification]:focus-visible]:bg-hover",
        unread && "bg-accent-soft/40",
      )}
    >
      <Icon aria-hidden className={cn("mt-0.5 size-4.5 shrink-0", color)} />
      <div className="min-w-0 flex-1">
        <h2 dir="auto" className={cn("text-sm", unread ? "font-semibold" : "font-medium")}>
          <Link
            {...(target(one) as LinkProps)}
            data-notification={one.id}
            onClick={() => unread && onRead()}
            className="outline-none after:absolute after:inset-0 focus-visible:underline"
          >
            {unread && <span className="sr-only">{words.isUnread}: </span>}
            {one.subject === "" ? headline.replace(/^./, (letter) => letter.toUpperCase()) : headline}
          </Link>
          {one.count > 1 && <span className="num ml-2 text-faint text-xs">{words.times(one.count)}</span>}
        </h2>
        {one.text && (
          <p dir="auto" className="mt-0.5 break-words text-muted text-sm">
            {one.text}
          </p>
        )}
        <p className="num mt-0.5 flex min-w-0 gap-x-2 text-faint text-xs">
          {/* What is about a project itself names it already. */}
          {project !== undefined && one.featureId && <span className="truncate">{project}</span>}
          <Time at={one.at} className="shrink-0" />
        </p>
      </div>
      {unread && (
        <Button
          size="sm"
          variant="ghost"
          className="relative"
          aria-label={words.readOf(headline)}
          title={words.read}
          onClick={onRead}
        >
          <Check />
        </Button>
      )}
    </li>
  );
}
