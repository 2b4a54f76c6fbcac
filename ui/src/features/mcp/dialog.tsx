import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { type FormEvent, useId, useState } from "react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Radios } from "@/components/ui/radios";
import { Switch } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { useUnsaved } from "@/lib/unsaved";
import { t } from "@/strings";
import {
  draftOf,
  emptyValue,
  moved,
  proposedDraft,
  type ServerFormDraft,
  toChange,
  toDraft,
  type ValueDraft,
} from "./draft";
import { type McpProposal, type McpServer, mcpCalls } from "./queries";
import { s } from "./strings";

/** Characters that a name may have: it begins the names of its tools, which providers bound. */
const NAME = 24;

/** Adds a server to a project, or to the whole team where none is named, or changes one. */
export function ServerDialog({
  projectId,
  server,
  proposal,
  onClose,
}: {
  projectId: string | null;
  server?: McpServer;
  /** What a new one begins as. */
  proposal?: McpProposal;
  onClose: () => void;
}) {
  const form = useId();
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={server ? s.editOf(server.name) : s.add}
      footer={
        <>
          <Button onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" form={form} variant="primary">
            {server ? s.form.save : s.form.create}
          </Button>
        </>
      }
    >
      <ServerForm
        id={form}
        projectId={projectId}
        server={server}
        beginning={proposal === undefined ? draftOf(server) : proposedDraft(proposal)}
        onSaved={onClose}
      />
    </Dialog>
  );
}

function ServerForm({
  id,
  projectId,
  server,
  beginning: given,
  onSaved,
}: {
  id: string;
  projectId: string | null;
  server: McpServer | undefined;
  beginning: ServerFormDraft;
  onSaved: () => void;
}) {
  const client = useQueryClient();
  const [beginning] = useState(given);
  const [draft, setDraft] = useState(beginning);
  const set = (part: Partial<ServerFormDraft>) => setDraft((before) => ({ ...before, ...part }));
  const move = (to: Parameters<typeof moved>[2]) => setDraft((before) => moved(beginning, before, to));
  const setValue = (key: number, part: Partial<ValueDraft>) =>
    set({ values: draft.values.map((value) => (value.key === key ? { ...value, ...part } : value)) });
  const save = useMutation({
    mutationFn: () =>
      server ? mcpCalls.change(server.id, toChange(draft)) : mcpCalls.create(projectId, toDraft(draft)),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.mcpServers });
      toast.done(server ? s.form.saved : s.form.created);
      onSaved();
    },
  });
  useUnsaved(JSON.stringify(draft) !== JSON.stringify(beginning) && !save.isSuccess);
  const error = save.error && asApiError(save.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!save.isPending && draft.name.length <= NAME) save.mutate();
  };
  const values = error?.field("values");
  return (
    <form id={id} onSubmit={submit} className="flex flex-col gap-4 px-5 pt-2 pb-5">
      <Field
        label={s.form.name}
        help={s.form.nameHelp}
        error={draft.name.length > NAME ? s.form.nameLong(NAME) : error?.aboutName}
      >
        <Input
          value={draft.name}
          onChange={(event) => set({ name: event.target.value })}
          required
          autoFocus
          autoComplete="off"
          spellCheck={false}
        />
      </Field>
      <Radios
        label={s.form.transport}
        showLabel
        value={draft.kind}
        onChange={(kind) => move({ kind })}
        options={[
          { value: "stdio", label: s.form.stdio, help: s.form.stdioHelp },
          { value: "http", label: s.form.http, help: s.form.httpHelp },
        ]}
      />
      {draft.kind === "stdio" ? (
        <Field
          label={s.form.command}
          help={projectId === null && <span className="text-amber">{s.form.teamCommand}</span>}
          error={error?.field("transport.command")}
        >
          <FieldTextarea
            value={draft.command}
            onChange={(event) => move({ command: event.target.value.replaceAll("\n", " ") })}
            required
            maxLength={2_000}
            rows={2}
            spellCheck={false}
            placeholder={
              projectId === null
                ? "/usr/local/bin/docs-mcp"
                : "npx --yes @modelcontextprotocol/server-everything"
            }
            className="min-h-14 font-mono text-xs"
          />
        </Field>
      ) : (
        <Field label={s.form.url} error={error?.field("transport.url")}>
          <Input
            type="url"
            value={draft.url}
            onChange={(event) => move({ url: event.target.value })}
            required
            maxLength={2_000}
            autoComplete="off"
            spellCheck={false}
            placeholder="https://example.com/mcp"
          />
        </Field>
      )}
      <fieldset className="flex min-w-0 flex-col gap-2">
        <legend className="mb-1 font-medium text-sm">{s.form.values[draft.kind]}</legend>
        <p className="text-faint text-xs">{s.form.valuesHelp}</p>
        {draft.values.map((value) => (
          <div key={value.key} className="flex flex-wrap items-center gap-x-2 gap-y-1 max-sm:pb-2">
            <Input
              aria-label={s.form.valueName}
              value={value.name}
              onChange={(event) => setValue(value.key, { name: event.target.value })}
              maxLength={100}
              autoComplete="off"
              spellCheck={false}
              className="w-40 flex-none font-mono text-xs"
            />
            <Input
              aria-label={s.form.value}
              type={value.secret ? "password" : "text"}
              value={value.value}
              placeholder={value.kept && value.secret ? s.form.kept : ""}
              onChange={(event) => setValue(value.key, { value: event.target.value })}
              maxLength={8_000}
              autoComplete="new-password"
              spellCheck={false}
              className="min-w-32 flex-1 basis-32 font-mono text-xs"
            />
            <label className="flex items-center gap-1.5 text-sm">
              <input
                type="checkbox"
                checked={value.secret}
                onChange={(event) => setValue(value.key, { secret: event.target.checked })}
                className="size-4 shrink-0 accent-(--accent)"
              />
              {s.form.secret}
            </label>
            <button
              type="button"
              aria-label={s.form.removeValue(value.name)}
              onClick={() => set({ values: draft.values.filter((other) => other.key !== value.key) })}
              className="rounded-md p-1.5 text-faint hover:bg-hover hover:text-ink"
            >
              <X aria-hidden className="size-4" />
            </button>
          </div>
        ))}
        {values && (
          <p role="alert" className="text-red text-xs">
            {values}
          </p>
        )}
        <Button
          size="sm"
          className="self-start"
          onClick={() => set({ values: [...draft.values, emptyValue()] })}
        >
          <Plus /> {s.form.addValue[draft.kind]}
        </Button>
      </fieldset>
      <Field label={s.form.seconds} error={error?.field("timeoutSeconds")}>
        <Input
          inputMode="numeric"
          value={draft.seconds}
          onChange={(event) => set({ seconds: event.target.value })}
          className="w-28"
        />
      </Field>
      {server && (
        <>
          <Switch label={s.form.enabled} checked={draft.enabled} onChange={(enabled) => set({ enabled })} />
          <Switch
            label={s.form.trusted}
            help={s.form.trustedHelp}
            checked={draft.trusted}
            onChange={(trusted) => set({ trusted })}
          />
        </>
      )}
      <FormError error={error && error.fields.length === 0 && !error.aboutName ? error : null} />
    </form>
  );
}
