import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { GitFork, RefreshCw } from "lucide-react";
import { type FormEvent, useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMay } from "@/api/queries";
import type { Project, ProjectRemote } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm, Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { remoteQuery } from "@/features/projects/remote";
import { Time } from "@/lib/time";
import { useUnsaved } from "@/lib/unsaved";
import { t } from "@/strings";
import { settingsCalls } from "./calls";
import { remote as s } from "./strings";

const FORM = "remote-form";

/** Where else the project's repository is: at the team's forge. */
export function Remote({ project }: { project: Project }) {
  const projectId = project.id;
  const mayPut = useMay("keys");
  const remote = useQuery(remoteQuery(projectId));
  const [editing, setEditing] = useState(false);
  return (
    <Section title={s.title} id="remote" lead={s.lead}>
      <div className="flex flex-col items-start gap-3">
        {remote.isError ? (
          <ErrorState error={remote.error} onRetry={() => remote.refetch()} className="py-6" />
        ) : remote.data === undefined ? (
          <Skeleton className="h-20 w-full rounded-xl" />
        ) : remote.data === null ? (
          <>
            <p className="text-muted text-sm">{s.none}</p>
            {mayPut && (
              <Button onClick={() => setEditing(true)}>
                <GitFork /> {s.connect}
              </Button>
            )}
          </>
        ) : (
          <Connected projectId={projectId} remote={remote.data} onChange={() => setEditing(true)} />
        )}
      </div>
      <Dialog
        open={editing}
        onOpenChange={setEditing}
        title={remote.data ? s.change : s.connect}
        footer={
          <>
            <Button onClick={() => setEditing(false)}>{t.common.cancel}</Button>
            <Button type="submit" form={FORM} variant="primary">
              {s.put}
            </Button>
          </>
        }
      >
        <div className="px-5 pt-2 pb-4">
          {editing && (
            <Form project={project} former={remote.data ?? null} onDone={() => setEditing(false)} />
          )}
        </div>
      </Dialog>
    </Section>
  );
}

function Connected({
  projectId,
  remote,
  onChange,
}: {
  projectId: string;
  remote: ProjectRemote;
  onChange: () => void;
}) {
  const client = useQueryClient();
  const [mayPut, mayRun] = [useMay("keys"), useMay("run")];
  const [removing, setRemoving] = useState(false);
  const sync = useMutation({
    mutationFn: () => settingsCalls.syncRemote(projectId),
    onSuccess: (now) => {
      client.setQueryData(keys.remote(projectId), now);
      toast.done(s.synced, s.stands(now));
    },
    onError: (cause) => {
      void client.invalidateQueries({ queryKey: keys.remote(projectId) });
      toast.error(s.notSynced, asApiError(cause));
    },
  });
  return (
    <div className="flex w-full flex-wrap items-start gap-x-4 gap-y-3 rounded-xl border border-line bg-surface p-4 text-sm shadow-card">
      <div className="flex min-w-0 flex-1 basis-64 flex-col gap-1.5">
        <code className="break-all font-medium">{remote.url}</code>
        <p className="flex flex-wrap gap-1.5">
          {remote.follows && <Badge>{s.follows.short}</Badge>}
          {remote.pushes && <Badge>{s.pushes.short}</Badge>}
          <Badge>{remote.hasLogin ? s.withLogin : s.withoutLogin}</Badge>
        </p>
        <p className="text-faint text-xs">
          {remote.lookedAt === null ? (
            s.never
          ) : (
            <>
              {s.stands(remote)} · {s.looked} <Time at={remote.lookedAt} />
            </>
          )}
        </p>
        {remote.error !== null && (
          <p role="alert" className="text-red text-xs [overflow-wrap:anywhere]">
            {remote.error}
          </p>
        )}
      </div>
      <div className="flex flex-wrap gap-1.5">
        {mayRun && (
          <Button size="sm" busy={sync.isPending} onClick={() => sync.mutate()}>
            <RefreshCw /> {s.sync}
          </Button>
        )}
        {mayPut && (
          <>
            <Button size="sm" onClick={onChange}>
              {s.change}
            </Button>
            <Button
              size="sm"
              variant="ghost"
              className="text-red hover:text-red"
              onClick={() => setRemoving(true)}
            >
              {s.remove}
            </Button>
          </>
        )}
      </div>
      <Confirm
        open={removing}
        onOpenChange={setRemoving}
        danger
        title={s.removeTitle}
        confirm={s.remove}
        onConfirm={async () => {
          try {
            await settingsCalls.deleteRemote(projectId);
            client.setQueryData(keys.remote(projectId), null);
            toast.done(s.removed);
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {s.removeText}
      </Confirm>
    </div>
  );
}

function Form({
  project,
  former,
  onDone,
}: {
  project: Project;
  former: ProjectRemote | null;
  onDone: () => void;
}) {
  const client = useQueryClient();
  const first = former?.url ?? clonedFrom(project);
  const [url, setUrl] = useState(first);
  const [follows, setFollows] = useState(former?.follows ?? true);
  const [pushes, setPushes] = useState(former?.pushes ?? true);
  const put = useMutation({
    mutationFn: () => settingsCalls.putRemote(project.id, { url: url.trim(), follows, pushes }),
    onSuccess: (now) => {
      client.setQueryData(keys.remote(project.id), now);
      toast.done(s.done);
      onDone();
    },
  });
  const isSame =
    url === first && follows === (former?.follows ?? true) && pushes === (former?.pushes ?? true);
  useUnsaved(!isSame && !put.isSuccess);
  const error = put.error && asApiError(put.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!put.isPending) put.mutate();
  };
  return (
    <form id={FORM} onSubmit={submit} className="flex flex-col gap-4">
      <Field label={s.url} help={former?.hasLogin ? s.urlKept : s.urlHelp} error={error?.field("url")}>
        <Input
          value={url}
          onChange={(event) => setUrl(event.target.value)}
          placeholder="https://NAME:TOKEN@github.com/team/project.git"
          autoComplete="off"
          spellCheck={false}
          required
          autoFocus
        />
      </Field>
      <Switch checked={follows} onChange={setFollows} label={s.follows.label} help={s.follows.help} />
      <Switch checked={pushes} onChange={setPushes} label={s.pushes.label} help={s.pushes.help} />
      {error && error.field("url") === undefined && <FormError error={error} />}
    </form>
  );
}

/** Most likely it is where the repository came from. */
const clonedFrom = ({ source }: Project) =>
  source.kind === "clone" && !source.url.startsWith("/") && !source.url.startsWith("file:") ? source.url : "";
