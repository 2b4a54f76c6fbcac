import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleAlert, LoaderCircle, RotateCcw } from "lucide-react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import type { Project } from "@/api/types";
import { Empty } from "@/components/state";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { Elapsed } from "@/lib/time";
import { putProject } from "@/live/apply";

/** What stands in place of the board until the repository is there. */
export function ProjectPreparing({ project, mayManage }: { project: Project; mayManage: boolean }) {
  const client = useQueryClient();
  const retry = useMutation({
    mutationFn: () => api.retryProject(project.id),
    onSuccess: (fresh) => putProject(client, fresh),
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
  if (project.status === "failed") {
    return (
      <div role="alert">
        <Empty
          icon={<CircleAlert className="text-red" />}
          title="The repository could not be made"
          action={
            mayManage && (
              <>
                <Button variant="primary" busy={retry.isPending} onClick={() => retry.mutate()}>
                  <RotateCcw /> Try again
                </Button>
                <Button render={<Link to="/p/$projectId/settings" params={{ projectId: project.id }} />}>
                  Project settings
                </Button>
              </>
            )
          }
        >
          <p className="break-words">{project.error}</p>
          {project.source.kind === "clone" && (
            <p className="mt-2 break-all text-faint text-xs">{project.source.url}</p>
          )}
        </Empty>
      </div>
    );
  }
  return (
    <div role="status">
      <Empty
        icon={<LoaderCircle className="animate-spin-slow text-accent-text" />}
        title={project.source.kind === "clone" ? "Cloning the repository" : "Making the repository"}
      >
        <p>The board opens by itself as soon as it is there.</p>
        {project.source.kind === "clone" && <p className="mt-1 break-all text-xs">{project.source.url}</p>}
        <p className="num mt-2 text-faint text-xs">
          <Elapsed since={project.updatedAt} />
        </p>
      </Empty>
    </div>
  );
}
