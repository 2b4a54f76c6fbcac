import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { Agent, AgentDraft, ThinkingLevel } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { Switch } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { AgentServers } from "@/features/mcp/agent-servers";
import { ModelSelect } from "@/features/model-select";
import { useUnsaved } from "@/lib/unsaved";
import { t, thinking } from "@/strings";
import { type AgentFormDraft, draftOf, toWish } from "./draft";
import { agentCalls, agentQueries } from "./queries";
import { s } from "./strings";

const NO_THINKING = "";

/** Defines an agent, or changes one. */
export function AgentEditor({
  agent,
  mayEdit,
  onClose,
}: {
  /** Nothing for a new one. */
  agent: Agent | null;
  mayEdit: boolean;
  onClose: () => void;
}) {
  const form = useId();
  const [busy, setBusy] = useState(false);
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={agent === null ? s.form.create : s.form.edit(agent.name)}
      {...(mayEdit ? {} : { description: s.form.noRight })}
      width="lg"
      footer={
        <>
          <Button onClick={onClose}>{mayEdit ? t.common.cancel : t.common.close}</Button>
          {mayEdit && (
            <Button type="submit" form={form} variant="primary" busy={busy}>
              {s.form.save}
            </Button>
          )}
        </>
      }
    >
      <Form id={form} agent={agent} mayEdit={mayEdit} busy={busy} onBusy={setBusy} onClose={onClose} />
    </Dialog>
  );
}

function Form({
  id,
  agent,
  mayEdit,
  busy,
  onBusy: setBusy,
  onClose,
}: {
  id: string;
  agent: Agent | null;
  mayEdit: boolean;
  busy: boolean;
  onBusy: (busy: boolean) => void;
  onClose: () => void;
}) {
  const client = useQueryClient();
  const known = useQuery(agentQueries.tools());
  const [draft, setDraft] = useState<AgentFormDraft>(() => draftOf(agent));
  const [error, setError] = useState<ApiError | null>(null);
  const set = (part: Partial<AgentFormDraft>) => setDraft((before) => ({ ...before, ...part }));
  const at = (field: string) => error?.fields.find((entry) => entry.field === field)?.message;
  const off = !mayEdit || busy;
  const [before] = useState(() => JSON.stringify(draft));
  useUnsaved(mayEdit && JSON.stringify(draft) !== before);

  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (off || known.data === undefined) return;
    setBusy(true);
    setError(null);
    try {
      const wish: AgentDraft = toWish(draft, known.data);
      if (agent === null) await agentCalls.create(wish);
      else {
        const icon = wish.icon ?? null;
        await agentCalls.update(agent.id, { ...wish, icon, expectVersion: agent.version } as never);
      }
      await client.invalidateQueries({ queryKey: keys.agents });
      toast.done(agent === null ? s.form.created : s.form.saved);
      onClose();
    } catch (cause) {
      setError(asApiError(cause));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form id={id} onSubmit={save} className="flex flex-col gap-4 px-5 pb-5">
      <div className="grid gap-4 sm:grid-cols-[1fr_6rem]">
        <Field label={s.form.name} error={at("name")}>
          <Input
            value={draft.name}
            maxLength={60}
            required
            disabled={off}
            autoFocus
            onChange={(event) => set({ name: event.target.value })}
          />
        </Field>
        <Field label={s.form.icon} error={at("icon")}>
          <Input
            value={draft.icon}
            maxLength={16}
            disabled={off}
            title={s.form.iconHelp}
            onChange={(event) => set({ icon: event.target.value })}
          />
        </Field>
      </div>
      <Field label={s.form.description} optional error={at("description")}>
        <Input
          value={draft.description}
          maxLength={500}
          disabled={off}
          onChange={(event) => set({ description: event.target.value })}
        />
      </Field>
      <Field label={s.form.prompt} help={s.form.promptHelp} error={at("systemPrompt")}>
        <FieldTextarea
          value={draft.systemPrompt}
          required
          disabled={off}
          rows={10}
          className="font-mono text-xs"
          onChange={(event) => set({ systemPrompt: event.target.value })}
        />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={s.form.model} error={at("model.provider")}>
          <ModelSelect
            variant="field"
            none={s.form.noModel}
            value={draft.model}
            disabled={off}
            onChange={(model) => set({ model })}
          />
        </Field>
        <Field label={s.form.thinking}>
          <Select<ThinkingLevel | typeof NO_THINKING>
            value={draft.thinking ?? NO_THINKING}
            disabled={off}
            onChange={(level) => set({ thinking: level === NO_THINKING ? null : level })}
            options={[
              { value: NO_THINKING, label: s.form.noThinking },
              ...(Object.keys(thinking) as ThinkingLevel[]).map((level) => ({
                value: level,
                label: thinking[level],
              })),
            ]}
          />
        </Field>
        <Field label={s.form.maxTokens} optional error={at("model.maxTokens")}>
          <Input
            inputMode="numeric"
            value={draft.maxTokens}
            disabled={off}
            onChange={(event) => set({ maxTokens: event.target.value })}
          />
        </Field>
        <Field
          label={s.form.temperature}
          optional
          help={s.form.temperatureHelp}
          error={at("model.temperature")}
        >
          <Input
            inputMode="decimal"
            value={draft.temperature}
            disabled={off}
            onChange={(event) => set({ temperature: event.target.value })}
          />
        </Field>
      </div>
      <fieldset className="flex flex-col gap-2.5">
        <legend className="font-medium text-sm">{s.form.tools}</legend>
        <p className="text-faint text-xs">{s.form.toolsHelp}</p>
        {known.isPending && <Skeleton className="h-40" />}
        <div className="grid gap-2.5 sm:grid-cols-2">
          {known.data?.map((tool) => (
            <Switch
              key={tool.name}
              checked={draft.tools[tool.name] ?? false}
              disabled={off}
              onChange={(enabled) => set({ tools: { ...draft.tools, [tool.name]: enabled } })}
              label={
                <>
                  <span className="font-mono text-xs">{tool.name}</span>
                  {tool.changesFiles && (
                    <Badge tone="outline" className="ml-1.5">
                      {s.form.changes}
                    </Badge>
                  )}
                </>
              }
              help={tool.what}
            />
          ))}
        </div>
        {at("tools") && <p className="text-red text-xs">{at("tools")}</p>}
      </fieldset>
      <AgentServers
        chosen={draft.servers}
        onChange={(servers) => set({ servers })}
        disabled={off}
        error={at("mcpServers")}
      />
      <Field label={s.form.tags} optional help={s.form.tagsHelp} error={at("tags")}>
        <Input value={draft.tags} disabled={off} onChange={(event) => set({ tags: event.target.value })} />
      </Field>
      <FormError error={error} />
    </form>
  );
}
