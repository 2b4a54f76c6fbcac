import { Link } from "@tanstack/react-router";
import {
  Activity,
  Bell,
  BookOpen,
  Bot,
  ChartColumn,
  CircleAlert,
  FolderGit2,
  Inbox,
  Library,
  LoaderCircle,
  MessagesSquare,
  Plus,
  ScrollText,
  Search,
  Settings,
  SquareKanban,
  Users,
  Workflow,
} from "lucide-react";
import { useMay, useProjects, useUnread } from "@/api/queries";
import type { ProjectListItem } from "@/api/types";
import { Logo } from "@/components/logo";
import { Keys } from "@/components/ui/kbd";
import { Skeleton } from "@/components/ui/skeleton";
import { Tooltip } from "@/components/ui/tooltip";
import { useActiveWork, useAsides } from "@/features/attention";
import { useProposed } from "@/features/knowledge/proposed";
import { cn } from "@/lib/cn";
import { t } from "@/strings";
import { MemberMenu } from "./member-menu";
import { NavItem } from "./nav-item";
import { overlay } from "./overlay";

function ProjectIcon({ project }: { project: ProjectListItem }) {
  if (project.status === "preparing") return <LoaderCircle className="animate-spin-slow" />;
  if (project.status === "failed") return <CircleAlert className="text-red" />;
  return <SquareKanban />;
}

/** The frame's left edge: where one can go. */
export function Sidebar({ className }: { className?: string }) {
  const projects = useProjects();
  const { attention, working } = useActiveWork();
  const asides = useAsides();
  const mayAdd = useMay("manageProjects");
  const runs = useMay("administer");
  const unread = useUnread();
  const proposed = useProposed();
  return (
    <nav
      aria-label="Main"
      className={cn("w-56 shrink-0 flex-col border-line border-r bg-sidebar 3xl:w-64", className)}
    >
      <div className="flex h-13 items-center px-3.5">
        <Link to="/" className="flex items-center gap-2 rounded-md font-semibold tracking-tight">
          <Logo className="size-6" />
          {t.app}
        </Link>
      </div>
      <div className="px-2.5 pb-2">
        <button
          type="button"
          onClick={() => overlay.set("palette")}
          className="flex h-8 w-full items-center gap-2 rounded-md border border-line bg-surface px-2 text-faint text-sm shadow-card hover:border-line-strong hover:text-muted"
        >
          <Search aria-hidden className="size-4" />
          <span className="flex-1 truncate text-left">{t.nav.search}</span>
          <Keys keys="mod+k" />
        </button>
      </div>
      <div className="flex flex-col gap-px px-2.5 pt-1">
        <NavItem
          to="/"
          exact
          icon={<Inbox />}
          label={t.nav.inbox}
          count={attention.filter((card) => card.status !== "paused").length}
          countLabel="need attention"
          urgent
        />
        <NavItem
          to="/notifications"
          icon={<Bell />}
          label={t.nav.notifications}
          count={unread}
          countLabel="unread"
          urgent
        />
      </div>
      <div className="mt-4 py-1 pl-4.5 font-medium text-faint text-xs">{t.nav.work}</div>
      <div className="flex flex-col gap-px px-2.5">
        <NavItem to="/chat" icon={<MessagesSquare />} label={t.nav.chat} />
        <NavItem
          to="/agents"
          exact
          icon={<Bot />}
          label={t.nav.agents}
          count={
            working.filter((card) => card.status === "in_progress").length +
            asides.filter((run) => run.working).length
          }
          countLabel="at work"
        />
        <NavItem to="/agents-library" icon={<Library />} label={t.nav.library} />
        <NavItem to="/systems" icon={<Workflow />} label={t.nav.systems} />
      </div>
      <div className="mt-4 flex items-center justify-between py-1 pr-3 pl-4.5">
        <Link to="/projects" className="rounded font-medium text-faint text-xs hover:text-ink">
          {t.nav.projects}
        </Link>
        {mayAdd && (
          <Tooltip text={t.nav.addProject} side="right">
            <Link
              to="/projects"
              search={{ add: true }}
              aria-label={t.nav.addProject}
              className="rounded p-0.5 text-faint hover:bg-hover hover:text-ink"
            >
              <Plus className="size-4" />
            </Link>
          </Tooltip>
        )}
      </div>
      <div className="flex min-h-0 flex-1 flex-col gap-px overflow-y-auto px-2.5 pb-2 scroll-thin">
        {projects.isPending && (
          <>
            <Skeleton className="mx-1 my-1 h-6" />
            <Skeleton className="mx-1 my-1 h-6 w-3/4" />
          </>
        )}
        {projects.data?.length === 0 && (
          <NavItem to="/projects" icon={<FolderGit2 />} label={t.nav.addProject} />
        )}
        {projects.data?.map((project) => (
          <NavItem
            key={project.id}
            to="/p/$projectId"
            params={{ projectId: project.id }}
            icon={<ProjectIcon project={project} />}
            label={project.name}
          />
        ))}
      </div>
      <div className="flex flex-col gap-px border-line border-t px-2.5 py-2">
        <NavItem
          to="/knowledge"
          icon={<BookOpen />}
          label={t.nav.knowledge}
          count={proposed}
          countLabel="to review"
        />
        <NavItem to="/usage" icon={<ChartColumn />} label={t.nav.usage} />
        <NavItem to="/team" icon={<Users />} label={t.nav.team} />
        {runs && <NavItem to="/audit" icon={<ScrollText />} label={t.nav.audit} />}
        {runs && <NavItem to="/operation" icon={<Activity />} label={t.nav.operation} />}
        <NavItem to="/settings" icon={<Settings />} label={t.nav.settings} />
        <MemberMenu />
      </div>
    </nav>
  );
}
