import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Retention } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { t } from "@/strings";
import { d } from "./strings";

const NAMES = Object.keys(d.fields) as (keyof Retention)[];

/** How long what is kept. */
export function RetentionSettings() {
  const retention = useQuery(queries.retention());
  return (
    <Section id="retention" title={d.retention} lead={d.retentionLead}>
      {retention.isError ? (
        <ErrorState error={retention.error} onRetry={() => retention.refetch()} className="py-6" />
      ) : retention.data === undefined ? (
        <Skeleton className="h-72 rounded-xl" />
      ) : (
        <Form key={JSON.stringify(retention.data)} before={retention.data} />
      )}
    </Section>
  );
}

const read = (text: string): number | null | undefined => {
  if (text.trim() === "") return null;
  return /^\d{1,6}$/.test(text.trim()) ? Number(text.trim()) : undefined;
};

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
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (valid) save.mutate(next as Retention);
      }}
    >
      <div className="mb-6 grid gap-x-6 gap-y-4 sm:grid-cols-2">
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
      <Button type="submit" busy={save.isPending} disabled={!valid || !changed}>
        {t.common.save}
      </Button>
    </form>
  );
}
