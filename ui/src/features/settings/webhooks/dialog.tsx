import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMay } from "@/api/queries";
import type { NotificationKind, Webhook, WebhookFormat } from "@/api/types";
import { FormError } from "@/components/form-error";
import { SecretOnce } from "@/components/secret-once";
import { Button } from "@/components/ui/button";
import { Confirm, Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Radios } from "@/components/ui/radios";
import { toast } from "@/components/ui/toast";
import { useUnsaved } from "@/lib/unsaved";
import { t } from "@/strings";
import { format as formats, kind as kinds, words } from "./strings";

/** What a webhook can be told of: the team's not of what is one member's alone. */
const OFFERED: Record<"own" | "team", NotificationKind[]> = {
  own: [
    "card.waits",
    "card.verified",
    "card.failed",
    "plan.ready",
    "review.waits",
    "execution.completed",
    "execution.failed",
    "auto-mode.paused",
    "runs.stopped",
    "budget.reached",
    "morning-report.ready",
    "mcp-server.tools-changed",
    "alert.warning",
    "alert.critical",
    "alert.cleared",
  ],
  team: [
    "card.waits",
    "card.verified",
    "card.failed",
    "plan.ready",
    "review.waits",
    "execution.completed",
    "execution.failed",
    "auto-mode.paused",
    "runs.stopped",
    "alert.warning",
    "alert.critical",
    "alert.cleared",
  ],
};

/** Makes or changes a webhook. A new secret is shown once. */
export function WebhookDialog({
  team,
  hook,
  open,
  onOpenChange,
}: {
  team: boolean;
  hook?: Webhook;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const form = useId();
  const [secret, setSecret] = useState<string | null>(null);
  const [renewing, setRenewing] = useState(false);
  const change = (next: boolean) => {
    onOpenChange(next);
    if (!next) setSecret(null);
  };
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title={secret !== null ? words.secretTitle : hook ? words.editTitle : words.add}
      footer={
        secret !== null ? (
          <Button onClick={() => change(false)}>{words.done}</Button>
        ) : (
          <>
            {hook && (
              <Button className="mr-auto" onClick={() => setRenewing(true)}>
                {words.renew}
              </Button>
            )}
            <Button onClick={() => change(false)}>{t.common.cancel}</Button>
            <Button type="submit" form={form} variant="primary">
              {hook ? words.save : words.submit}
            </Button>
          </>
        )
      }
    >
      <div className="px-5 pt-2 pb-4">
        {secret !== null ? (
          <SecretOnce label={words.secret} value={secret} note={words.once} />
        ) : (
          <WebhookForm
            id={form}
            team={team}
            hook={hook}
            onSaved={(made) => (made === null ? change(false) : setSecret(made))}
          />
        )}
      </div>
      {hook && (
        <Confirm
          open={renewing}
          onOpenChange={setRenewing}
          title={words.renewTitle(hook.name)}
          confirm={words.renew}
          onConfirm={async () => {
            try {
              setSecret((await api.renewWebhookSecret(team, hook.id)).secret);
            } catch (cause) {
              toast.error(undefined, asApiError(cause));
              throw cause;
            }
          }}
        >
          {words.renewText}
        </Confirm>
      )}
    </Dialog>
  );
}

function WebhookForm({
  id,
  team,
  hook,
  onSaved,
}: {
  id: string;
  team: boolean;
  hook: Webhook | undefined;
  onSaved: (secret: string | null) => void;
}) {
  const client = useQueryClient();
  const [name, setName] = useState(hook?.name ?? "");
  const [url, setUrl] = useState("");
  const [format, setFormat] = useState<WebhookFormat>(hook?.format ?? "standard");
  const [chosen, setChosen] = useState<ReadonlySet<NotificationKind>>(
    new Set(hook?.kinds ?? ["card.waits", "card.failed", "auto-mode.paused"]),
  );
  const administers = useMay("administer");
  const offered = OFFERED[team ? "team" : "own"].filter((kind) => administers || !kind.startsWith("alert."));
  const save = useMutation({
    mutationFn: async () => {
      const draft = { name: name.trim(), format, kinds: offered.filter((kind) => chosen.has(kind)) };
      if (hook === undefined) return (await api.createWebhook(team, { ...draft, url: url.trim() })).secret;
      await api.changeWebhook(team, hook.id, { ...draft, ...(url.trim() === "" ? {} : { url: url.trim() }) });
      return null;
    },
    onSuccess: (secret) => {
      void client.invalidateQueries({ queryKey: keys.webhooks(team) });
      if (secret === null) toast.done(words.saved);
      onSaved(secret);
    },
  });
  const typed = JSON.stringify([name, url, format, [...chosen].sort()]);
  const [before] = useState(typed);
  useUnsaved(typed !== before && !save.isSuccess);
  const error = save.error && asApiError(save.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!save.isPending) save.mutate();
  };
  return (
    <form id={id} onSubmit={submit} className="flex flex-col gap-4">
      <Field label={words.name} error={error?.field("name")}>
        <Input
          value={name}
          onChange={(event) => setName(event.target.value)}
          maxLength={60}
          required
          autoFocus
        />
      </Field>
      <Field label={words.url} help={hook ? words.urlKept : words.urlHelp} error={error?.field("url")}>
        <Input
          type="url"
          value={url}
          onChange={(event) => setUrl(event.target.value)}
          placeholder={hook ? `${hook.host}/…` : "https://example.com/hook"}
          required={hook === undefined}
          autoComplete="off"
          spellCheck={false}
        />
      </Field>
      <fieldset className="flex flex-col gap-1.5">
        <legend className="mb-1.5 font-medium text-sm">{words.kinds}</legend>
        {offered.map((kind) => (
          <label key={kind} className="flex items-center gap-2.5 text-sm">
            <input
              type="checkbox"
              checked={chosen.has(kind)}
              onChange={(event) => {
                const next = new Set(chosen);
                if (event.target.checked) next.add(kind);
                else next.delete(kind);
                setChosen(next);
              }}
              className="size-4 shrink-0 accent-(--accent)"
            />
            {kinds[kind].label}
          </label>
        ))}
        {error?.field("kinds") && (
          <p role="alert" className="text-red text-xs">
            {error.field("kinds")}
          </p>
        )}
      </fieldset>
      <Radios
        label={words.format}
        showLabel
        value={format}
        onChange={setFormat}
        options={(Object.keys(formats) as WebhookFormat[]).map((value) => ({ value, ...formats[value] }))}
      />
      <FormError error={error && error.fields.length === 0 ? error : null} />
    </form>
  );
}
