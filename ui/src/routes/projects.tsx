import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { ArrowRight, CircleAlert, FlaskConical, FolderGit2, LoaderCircle, Plus } from "lucide-react";
import { asApiError, isLost } from "@/api/error";
import { useMay, useProjects } from "@/api/queries";
import type { FeatureStatus, ProjectListItem } from "@/api/types";
import { Page } from "@/components/page";
import { ErrorState } from "@/components/state";
import { StatusIcon } from "@/components/status";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { AddProject, freeName, useCreateProject } from "@/features/projects/add-project";
import { sourceWords } from "@/features/projects/source";
import { count } from "@/lib/format";
import { Time } from "@/lib/time";
import * as words from "@/strings";

const SHOWN: FeatureStatus[] = [
  "in_progress",
  "waiting_approval",
  "failed",
  "verified",
  "backlog",
  "completed",
];

export default function ProjectsPage() {
  const projects = useProjects();
  const navigate = useNavigate();
  const { add } = useSearch({ from: "/frame/projects" });
  const mayAdd = useMay("manageProjects");
  const open = (next: boolean) =>
    void navigate({ to: "/projects", search: next ? { add: true } : {}, replace: true });

  return (
    <Page
      title="Projects"
      lead="Each is a git repository with a board."
      actions={
        mayAdd &&
        projects.data?.length !== 0 && (
          <Button variant="primary" onClick={() => open(true)}>
            <Plus /> Add a project
          </Button>
        )
      }
    >
      {projects.isPending ? (
        <ul className="grid grid-cols-1 gap-3 md:grid-cols-2" aria-label={words.t.common.loading}>
          {[0, 1, 2].map((n) => (
            <li key={n}>
              <Skeleton className="h-30 rounded-xl" />
            </li>
          ))}
        </ul>
      ) : isLost(projects) ? (
        <ErrorState error={projects.error} onRetry={() => projects.refetch()} />
      ) : projects.data.length === 0 ? (
        <Welcome mayAdd={mayAdd} onAdd={() => open(true)} />
      ) : (
        <ul className="grid grid-cols-1 gap-3 md:grid-cols-2">
          {projects.data.map((project) => (
            <ProjectCard key={project.id} project={project} />
          ))}
        </ul>
      )}
      {mayAdd && <AddProject open={add === true} onOpenChange={open} />}
    </Page>
  );
}

function ProjectCard({ project }: { project: ProjectListItem }) {
  const shown = SHOWN.filter((status) => (project.counts[status] ?? 0) > 0);
  return (
    <li className="min-w-0">
      <Link
        to="/p/$projectId"
        params={{ projectId: project.id }}
        className="flex h-full flex-col gap-1 rounded-xl border border-line bg-surface p-4 shadow-card transition-[border-color,box-shadow] hover:border-line-strong hover:shadow-lift"
      >
        <span className="flex items-center gap-2">
          <span dir="auto" className="min-w-0 flex-1 truncate font-semibold text-lg">
            {project.name}
          </span>
          {project.status === "preparing" && (
            <Badge tone="blue">
              <LoaderCircle className="animate-spin-slow" /> Preparing
            </Badge>
          )}
          {project.status === "failed" && (
            <Badge tone="red">
              <CircleAlert /> Failed
            </Badge>
          )}
        </span>
        <span className="truncate text-faint text-xs">
          {sourceWords(project.source)} · <Time at={project.updatedAt} />
        </span>
        {project.error && <span className="line-clamp-2 text-red text-sm">{project.error}</span>}
        <span className="mt-auto flex flex-wrap gap-x-4 gap-y-1 pt-4 text-muted text-xs">
          {shown.map((status) => (
            <span key={status} className="num inline-flex items-center gap-1.5" title={words.status[status]}>
              <StatusIcon status={status} className="size-3.5 animate-none" />
              {count(project.counts[status] ?? 0)}
              <span className="sr-only">{words.status[status]}</span>
            </span>
          ))}
          {shown.length === 0 && <span className="text-faint">No cards yet</span>}
        </span>
      </Link>
    </li>
  );
}

/** The first thing that a new team sees. */
function Welcome({ mayAdd, onAdd }: { mayAdd: boolean; onAdd: () => void }) {
  const create = useCreateProject();
  if (!mayAdd) {
    return (
      <div className="rounded-xl border border-line border-dashed px-6 py-14 text-center text-muted text-sm">
        There is no project yet. Somebody who may add one has to begin.
      </div>
    );
  }
  return (
    <div className="grid gap-3 md:grid-cols-5">
      <div className="flex flex-col rounded-xl border border-accent/40 bg-accent-soft p-6 md:col-span-3">
        <FlaskConical aria-hidden className="mb-4 size-6 text-accent-text" />
        <h2 className="font-semibold text-xl tracking-tight">Try the sample project</h2>
        <p className="mt-1 max-w-prose text-muted text-sm">
          A small to-do list program with three suggested features. Start one, watch the agent read, edit and
          test, look at what it changed, and merge it. Without a key it runs on a simulated model and costs
          nothing.
        </p>
        <div className="mt-auto pt-6">
          <Button
            variant="primary"
            size="lg"
            busy={create.isPending}
            onClick={() =>
              create.mutate(
                { name: freeName("Sample", []), source: { kind: "sample" } },
                { onError: (error) => toast.error(undefined, asApiError(error)) },
              )
            }
          >
            Try the sample project <ArrowRight />
          </Button>
        </div>
      </div>
      <div className="flex flex-col rounded-xl border border-line bg-surface p-6 shadow-card md:col-span-2">
        <FolderGit2 aria-hidden className="mb-4 size-6 text-faint" />
        <h2 className="font-semibold text-xl tracking-tight">Bring your own</h2>
        <p className="mt-1 text-muted text-sm">A git URL, a path on the server, or a new empty repository.</p>
        <div className="mt-auto pt-6">
          <Button size="lg" onClick={onAdd}>
            <Plus /> Add a project
          </Button>
        </div>
      </div>
    </div>
  );
}
