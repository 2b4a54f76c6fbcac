import { Link, useRouterState } from "@tanstack/react-router";
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
  PanelLeftClose,
  PanelLeftOpen,
  Plus,
  ScrollText,
  Search,
  Settings,
  SquareKanban,
  Users,
  Workflow,
} from "lucide-react";
import { asApiError } from "@/api/error";
import { useMay, useProjects, useUnread } from "@/api/queries";
import type { ProjectListItem } from "@/api/types";
import { Logo } from "@/components/logo";
import { Keys } from "@/components/ui/kbd";
import { Skeleton } from "@/components/ui/skeleton";
import { Tooltip } from "@/components/ui/tooltip";
import { useActiveWork, useAsides, useWaiting } from "@/features/attention";
import { useProposed } from "@/features/knowledge/proposed";
import { cn } from "@/lib/cn";
import { initials } from "@/lib/format";
import { t } from "@/strings";
import { MemberMenu } from "./member-menu";
import { NavItem } from "./nav-item";
import { overlay } from "./overlay";
import { Rail, useFolded, useRail } from "./rail";

function ProjectIcon({ project }: { project: ProjectListItem }) {
  if (project.status === "preparing") return <LoaderCircle className="animate-spin-slow" />;
  if (project.status === "failed") return <CircleAlert className="text-red" />;
  return <ReadyIcon name={project.name} />;
}

/** On the rail, where no name stands beside it, the letters of the name. */
function ReadyIcon({ name }: { name: string }) {
  if (!useRail()) return <SquareKanban />;
  return (
    <span
      aria-hidden
      className="flex size-6 items-center justify-center rounded border border-line-strong font-semibold text-[0.625rem]"
    >
      {initials(name)}
    </span>
  );
}

/** The frame's left edge: where one can go. */
export function Sidebar({ className }: { className?: string }) {
  const projects = useProjects();
  const { working } = useActiveWork();
  const waiting = useWaiting();
  const [rail, fold] = useFolded();
  const reports = useRouterState({ select: ({ location }) => location.pathname === "/reports" });
  const asides = useAsides();
  const mayAdd = useMay("manageProjects");
  const runs = useMay("administer");
  const unread = useUnread();
  const proposed = useProposed();
  const heading = cn("py-1 pl-4.5 font-medium text-faint text-xs", rail && "sr-only");
  return (
    <Rail value={rail}>
      <nav
        aria-label="Main"
        className={cn(
          "shrink-0 flex-col border-line border-r bg-sidebar",
          rail ? "w-13" : "w-56 3xl:w-64",
          className,
        )}
      >
        <div className={cn("flex h-13 items-center", rail ? "justify-center" : "pr-2 pl-3.5")}>
          <Link
            to="/"
            aria-label={rail ? t.app : undefined}
            className="flex items-center gap-2 rounded-md font-semibold tracking-tight"
          >
            <Logo className="size-6" />
            {!rail && t.app}
          </Link>
          {!rail && <Fold folded={false} onFold={fold} />}
        </div>
        <div className={cn("pb-2", rail ? "flex flex-col items-center gap-1" : "px-2.5")}>
          {rail && <Fold folded onFold={fold} />}
          <button
            type="button"
            onClick={() => overlay.set("palette")}
            aria-label={rail ? t.nav.search : undefined}
            className={cn(
              "flex h-8 items-center gap-2 rounded-md border border-line bg-surface px-2 text-faint text-sm shadow-card hover:border-line-strong hover:text-muted",
              !rail && "w-full",
            )}
          >
            <Search aria-hidden className="size-4" />
            {!rail && (
              <>
                <span className="flex-1 truncate text-left">{t.nav.search}</span>
                <Keys keys="mod+k" />
              </>
            )}
          </button>
        </div>
        <div className="flex flex-col gap-px px-2.5 pt-1">
          <NavItem
            to="/"
            exact
            icon={<Inbox />}
            label={t.nav.inbox}
            current={reports}
            count={waiting}
            countLabel="wait for you"
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
        <div className={cn("mt-4", heading)}>{t.nav.work}</div>
        {rail && <Rule />}
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
        {rail && (
          <>
            <Rule />
            <div className="flex flex-col px-2.5">
              <NavItem to="/projects" icon={<FolderGit2 />} label={t.nav.projects} />
            </div>
          </>
        )}
        <div
          hidden={rail}
          className="mt-4 flex items-center justify-between py-1 pr-3 pl-4.5 [&[hidden]]:hidden"
        >
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
          {projects.isError && (
            <button
              type="button"
              title={asApiError(projects.error).detail}
              onClick={() => void projects.refetch()}
              className="flex items-center gap-2.5 rounded-md px-2 py-1.5 text-left text-red text-sm hover:bg-hover"
            >
              <CircleAlert aria-hidden className="size-4 shrink-0" />
              <span className={rail ? "sr-only" : undefined}>{t.nav.projectsFailed}</span>
            </button>
          )}
          {projects.data?.length === 0 && !rail && (
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
    </Rail>
  );
}

/** Between the groups of the rail, whose headings have no room. */
const Rule = () => <hr className="mx-3.5 my-2 border-line" />;

function Fold({ folded, onFold }: { folded: boolean; onFold: (folded: boolean) => void }) {
  const label = folded ? t.nav.unfold : t.nav.fold;
  return (
    <Tooltip text={label} side="right">
      <button
        type="button"
        aria-label={label}
        aria-expanded={!folded}
        onClick={() => onFold(!folded)}
        className="ml-auto rounded-md p-1.5 text-faint hover:bg-hover hover:text-ink first:ml-0"
      >
        {folded ? <PanelLeftOpen className="size-4" /> : <PanelLeftClose className="size-4" />}
      </button>
    </Tooltip>
  );
}
