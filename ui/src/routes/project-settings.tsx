import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { api } from "@/api/calls";
import { asApiError, isLost } from "@/api/error";
import { useMay, useMe, useProject } from "@/api/queries";
import type { Project } from "@/api/types";
import { PROJECT, shownTo } from "@/app/sections";
import { Page, Section } from "@/components/page";
import { Indexed } from "@/components/section-index";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Code } from "@/features/projects/settings/code";
import { ProjectForm } from "@/features/projects/settings/form";
import { Remote } from "@/features/projects/settings/remote";
import { Secrets } from "@/features/projects/settings/secrets";

const McpServers = lazy(() => import("@/features/mcp/servers"));

export default function ProjectSettingsPage() {
  const { projectId } = useParams({ from: "/frame/p/$projectId/settings" });
  const project = useProject(projectId);
  return (
    <Page
      title={project.data?.name ?? "Project"}
      lead={
        <Link
          to="/p/$projectId"
          params={{ projectId }}
          className="inline-flex items-center gap-1 rounded hover:text-ink"
        >
          <ArrowLeft aria-hidden className="size-3.5" /> To the board
        </Link>
      }
    >
      {project.isPending ? (
        <div className="flex flex-col gap-4">
          <Skeleton className="h-16" />
          <Skeleton className="h-40" />
          <Skeleton className="h-40" />
        </div>
      ) : isLost(project) ? (
        <ErrorState
          error={project.error}
          onRetry={() => project.refetch()}
          back={<Button render={<Link to="/projects" />}>All projects</Button>}
        />
      ) : (
        <Shown key={project.data.id} project={project.data} />
      )}
    </Page>
  );
}

function Shown({ project }: { project: Project }) {
  const rights = useMe().data?.rights ?? [];
  const mayManage = useMay("manageProjects");
  return (
    <Indexed label="Sections of the settings" groups={[{ sections: shownTo(PROJECT, rights) }]}>
      <Code project={project} />
      <div className="border-line border-t pt-7">
        <ProjectForm project={project} />
      </div>
      {/* What follows is saved by itself. */}
      <div className="mt-10">
        <Secrets projectId={project.id} />
      </div>
      <div className="mt-10">
        <Remote project={project} />
      </div>
      <div className="mt-10">
        <Suspense fallback={<Skeleton className="h-40" />}>
          <McpServers projectId={project.id} mayManage={mayManage} />
        </Suspense>
      </div>
      {mayManage && <Archive project={project} />}
    </Indexed>
  );
}

function Archive({ project }: { project: Project }) {
  const navigate = useNavigate();
  const [open, setOpen] = useState(false);
  return (
    <div className="mt-10">
      <Section
        id="archive"
        title="Archive"
        lead="Takes the project off everyone's list. Its repository and its cards stay on the server."
      >
        <Button onClick={() => setOpen(true)}>Archive this project</Button>
        <Confirm
          open={open}
          onOpenChange={setOpen}
          title={`Archive ${project.name}?`}
          confirm="Archive"
          danger
          onConfirm={async () => {
            try {
              await api.archiveProject(project.id);
            } catch (cause) {
              toast.error(undefined, asApiError(cause));
              throw cause;
            }
            await navigate({ to: "/projects" });
            toast.done(`${project.name} is archived`);
          }}
        >
          It disappears from the list for the whole team. Runs that are at work must be stopped first.
        </Confirm>
      </Section>
    </div>
  );
}
