import { useState } from "react";
import { useProjects } from "@/api/queries";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { t } from "@/strings";
import { s } from "./strings";

/** Asks in which project's sandbox a program of the whole team's is tried. */
export function TryDialog({
  name,
  onTry,
  onClose,
}: {
  name: string;
  onTry: (projectId: string) => void;
  onClose: () => void;
}) {
  const all = useProjects();
  const projects = all.data?.filter((project) => project.status === "ready");
  const [chosen, setChosen] = useState<string>();
  const projectId = chosen ?? projects?.[0]?.id;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={s.test.of(name)}
      footer={
        <>
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button
            variant="primary"
            disabled={projectId === undefined}
            onClick={() => projectId !== undefined && onTry(projectId)}
          >
            {s.test.start}
          </Button>
        </>
      }
    >
      <div className="px-5 pt-2 pb-5">
        {projects === undefined ? (
          all.isError ? (
            <ErrorState error={all.error} onRetry={() => void all.refetch()} className="py-6" />
          ) : (
            <Skeleton className="h-15" />
          )
        ) : projects.length === 0 ? (
          <p className="text-muted text-sm">{s.test.noProject}</p>
        ) : (
          <Field label={s.test.project} help={s.test.projectHelp}>
            <Select
              value={projectId ?? ""}
              onChange={setChosen}
              options={projects.map((project) => ({ value: project.id, label: project.name }))}
            />
          </Field>
        )}
      </div>
    </Dialog>
  );
}
