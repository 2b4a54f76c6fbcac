import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Retention } from "@/api/types";
import { FiguresForm, SettingsSection, wholeOf } from "@/components/settings-form";
import { Field, Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { d } from "./strings";

const NAMES = Object.keys(d.fields) as (keyof Retention)[];

/** How long what is kept. */
export function RetentionSettings() {
  const retention = useQuery(queries.retention());
  return (
    <SettingsSection id="retention" title={d.retention} lead={d.retentionLead} settings={retention}>
      {(data) => <Form key={JSON.stringify(data)} before={data} />}
    </SettingsSection>
  );
}

const read = (text: string): number | null | undefined =>
  text.trim() === "" ? null : (wholeOf(text, 6) ?? undefined);

function Form({ before }: { before: Retention }) {
  const client = useQueryClient();
  const [draft, setDraft] = useState(() =>
    Object.fromEntries(NAMES.map((name) => [name, before[name] == null ? "" : String(before[name])])),
  );
  const save = useMutation({
    mutationFn: (next: Retention) => api.putRetention(next),
    onSuccess: async (fresh) => {
      client.setQueryData(keys.retention, fresh);
      await client.invalidateQueries({ queryKey: keys.disk });
      toast.done(d.saved);
    },
  });
  const problem = save.error && asApiError(save.error);
  const next = Object.fromEntries(NAMES.map((name) => [name, read(draft[name] ?? "")]));
  const valid = NAMES.every((name) => next[name] !== undefined);
  const changed = NAMES.some((name) => next[name] !== (before[name] ?? null));
  return (
    <FiguresForm
      problem={problem}
      valid={valid}
      changed={changed}
      busy={save.isPending}
      onSave={() => save.mutate(next as Retention)}
    >
      <div className="grid gap-x-6 gap-y-4 sm:grid-cols-2">
        {NAMES.map((name) => (
          <Field
            key={name}
            label={d.fields[name].label}
            help={d.fields[name].help}
            error={next[name] === undefined ? d.number : problem?.field(name)}
          >
            <Input
              inputMode="numeric"
              className="max-w-44"
              value={draft[name] ?? ""}
              onChange={(event) => setDraft({ ...draft, [name]: event.target.value })}
            />
          </Field>
        ))}
      </div>
    </FiguresForm>
  );
}
