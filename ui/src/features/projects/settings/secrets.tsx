import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { LockKeyhole, Plus } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMay, useMe } from "@/api/queries";
import type { ProjectSecret, SecretUse } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm, Dialog } from "@/components/ui/dialog";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Time } from "@/lib/time";
import { useUnsaved } from "@/lib/unsaved";
import { t } from "@/strings";
import { settingsCalls } from "./calls";
import { outfit } from "./strings";

const s = outfit.secrets;
const USES = Object.keys(s.uses) as SecretUse[];
/** What is chosen at first: all in which nobody reads it. */
const USUAL = USES.filter((use) => use !== "terminals");
const FORM = "secret-form";

/** A project's secrets: their names, and a way to put others in their place. None is ever shown. */
export function Secrets({ projectId }: { projectId: string }) {
  const mayPut = useMay("keys");
  const secrets = useQuery({
    queryKey: keys.secrets(projectId),
    queryFn: ({ signal }) => settingsCalls.secrets(projectId, signal),
  });
  // The one whose value is replaced, or nothing for a new one; `false` while no window is open.
  const [editing, setEditing] = useState<ProjectSecret | null | false>(false);
  const close = () => setEditing(false);
  return (
    <Section title={s.title} id="secrets" lead={s.lead}>
      <div className="flex flex-col items-start gap-3">
        {secrets.isError ? (
          <ErrorState error={secrets.error} onRetry={() => secrets.refetch()} className="py-6" />
        ) : secrets.data === undefined ? (
          <Skeleton className="h-15 w-full rounded-xl" />
        ) : secrets.data.length === 0 ? (
          <p className="text-muted text-sm">{s.none}</p>
        ) : (
          <ul className="w-full divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
            {secrets.data.map((secret) => (
              <Row
                key={secret.name}
                projectId={projectId}
                secret={secret}
                onReplace={() => setEditing(secret)}
              />
            ))}
          </ul>
        )}
        {mayPut && (
          <Button onClick={() => setEditing(null)}>
            <Plus /> {s.add}
          </Button>
        )}
      </div>
      <Dialog
        open={editing !== false}
        onOpenChange={(open) => !open && close()}
        title={editing ? s.replaceOf(editing.name) : s.add}
        footer={
          <>
            <Button onClick={close}>{t.common.cancel}</Button>
            <Button type="submit" form={FORM} variant="primary">
              {s.put}
            </Button>
          </>
        }
      >
        <div className="px-5 pt-2 pb-4">
          {editing !== false && <Form projectId={projectId} former={editing} onDone={close} />}
        </div>
      </Dialog>
    </Section>
  );
}

function Row({
  projectId,
  secret,
  onReplace,
}: {
  projectId: string;
  secret: ProjectSecret;
  onReplace: () => void;
}) {
  const client = useQueryClient();
  const me = useMe().data;
  const [removing, setRemoving] = useState(false);
  const { name } = secret;
  const mine = me?.rights.includes("administer") || (me?.rights.includes("keys") && me.id === secret.putBy);
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 py-3 text-sm">
      <LockKeyhole aria-hidden className="size-5 shrink-0 text-faint max-sm:hidden" />
      <div className="min-w-0 flex-1 basis-56">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <code className="min-w-0 break-all font-medium">{name}</code>
          {secret.uses.length === USES.length ? (
            <Badge>{s.all}</Badge>
          ) : (
            secret.uses.map((use) => <Badge key={use}>{s.uses[use].label}</Badge>)
          )}
        </p>
        <p className="text-faint text-xs">
          {secret.hint !== "" && <code>•••• {secret.hint}</code>} {s.placed} <Time at={secret.updatedAt} />
        </p>
      </div>
      {mine && (
        <div className="flex gap-1.5">
          <Button size="sm" aria-label={s.replaceOf(name)} onClick={onReplace}>
            {s.replace}
          </Button>
          <Button
            size="sm"
            variant="ghost"
            className="text-red hover:text-red"
            aria-label={s.removeOf(name)}
            onClick={() => setRemoving(true)}
          >
            {s.remove}
          </Button>
        </div>
      )}
      <Confirm
        open={removing}
        onOpenChange={setRemoving}
        danger
        title={s.removeTitle(name)}
        confirm={s.remove}
        onConfirm={async () => {
          try {
            await settingsCalls.deleteSecret(projectId, name);
            client.setQueryData<ProjectSecret[]>(keys.secrets(projectId), (list) =>
              list?.filter((entry) => entry.name !== name),
            );
            toast.done(s.removed);
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {s.removeText}
      </Confirm>
    </li>
  );
}

function Form({
  projectId,
  former,
  onDone,
}: {
  projectId: string;
  former: ProjectSecret | null;
  onDone: () => void;
}) {
  const client = useQueryClient();
  const id = useId();
  const [name, setName] = useState(former?.name ?? "");
  const [value, setValue] = useState("");
  const [uses, setUses] = useState<ReadonlySet<SecretUse>>(new Set(former?.uses ?? USUAL));
  const put = useMutation({
    mutationFn: () =>
      settingsCalls.putSecret(
        projectId,
        name.trim(),
        value,
        USES.filter((use) => uses.has(use)),
      ),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: keys.secrets(projectId) });
      toast.done(s.done);
      onDone();
    },
  });
  useUnsaved((value !== "" || name !== (former?.name ?? "")) && !put.isSuccess);
  const error = put.error && asApiError(put.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!put.isPending) put.mutate();
  };
  return (
    <form id={FORM} onSubmit={submit} className="flex flex-col gap-4">
      {former === null && (
        <Field label={s.name} help={s.nameHelp} error={error?.field("name")}>
          <Input
            value={name}
            onChange={(event) => setName(event.target.value.toUpperCase())}
            placeholder="TEST_DATABASE_URL"
            maxLength={64}
            required
            autoFocus
            spellCheck={false}
            autoCapitalize="characters"
            className="font-mono text-xs"
          />
        </Field>
      )}
      <Field label={s.value} help={s.valueHelp} error={error?.field("value")}>
        <FieldTextarea
          value={value}
          onChange={(event) => setValue(event.target.value)}
          required
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          className="font-mono text-xs"
        />
      </Field>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1.5 font-medium text-sm">{s.given}</legend>
        {USES.map((use) => (
          <label key={use} className="flex items-start gap-2.5 text-sm">
            <input
              type="checkbox"
              checked={uses.has(use)}
              onChange={(event) => {
                const next = new Set(uses);
                if (event.target.checked) next.add(use);
                else next.delete(use);
                setUses(next);
              }}
              aria-labelledby={`${id}-${use}`}
              aria-describedby={`${id}-${use}-what`}
              className="mt-0.5 size-4 shrink-0 accent-(--accent)"
            />
            <span>
              <span id={`${id}-${use}`} className="font-medium">
                {s.uses[use].label}
              </span>
              <span id={`${id}-${use}-what`} className="block text-faint text-xs">
                {s.uses[use].what}
              </span>
            </span>
          </label>
        ))}
        {error?.field("uses") && (
          <p role="alert" className="text-red text-xs">
            {error.field("uses")}
          </p>
        )}
      </fieldset>
      <FormError error={error && error.fields.length === 0 ? error : null} />
    </form>
  );
}
