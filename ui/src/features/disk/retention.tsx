import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Retention } from "@/api/types";
import { FiguresForm, SettingsSection, wholeOf } from "@/components/settings-form";
import { Field, Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { useEdits } from "@/lib/edits";
import { d } from "./strings";

type Draft = Record<keyof Retention, string>;
const NAMES = Object.keys(d.fields) as (keyof Retention)[];

/** How long what is kept. */
export function RetentionSettings() {
  const retention = useQuery(queries.retention());
  return (
    <SettingsSection
      id="retention"
      title={d.retention}
      lead={d.retentionLead}
      settings={retention}
      height="h-[60rem] sm:h-[38rem]"
    >
      {(data) => <Form retention={data} />}
    </SettingsSection>
  );
}

const read = (text: string): number | null | undefined =>
  text.trim() === "" ? null : (wholeOf(text, 6) ?? undefined);

const textOf = (days: number | null | undefined) => (days == null ? "" : String(days));

function Form({ retention }: { retention: Retention }) {
  const client = useQueryClient();
  const { draft, changes, changed, clashes, set, drop, saved } = useEdits<Draft>(
    Object.fromEntries(NAMES.map((name) => [name, textOf(retention[name])])) as Draft,
  );
  const save = useMutation({
    mutationFn: (sent: Partial<Draft>) =>
      api.changeRetention(
        Object.fromEntries(Object.entries(sent).map(([name, text]) => [name, read(text) ?? null])),
      ),
    onSuccess: async (fresh, sent) => {
      client.setQueryData(keys.retention, fresh);
      saved(sent);
      await client.invalidateQueries({ queryKey: keys.disk });
      toast.done(d.saved);
    },
  });
  const problem = save.error && asApiError(save.error);
  return (
    <FiguresForm
      problem={problem}
      valid={NAMES.every((name) => read(draft[name]) !== undefined)}
      changed={changed}
      busy={save.isPending}
      clashes={clashes.length}
      onTakeTheirs={() => drop(clashes)}
      onSave={() => save.mutate(changes)}
    >
      <div className="grid gap-x-6 gap-y-4 sm:grid-cols-2">
        {NAMES.map((name) => (
          <Field
            key={name}
            label={d.fields[name].label}
            help={d.fields[name].help}
            error={read(draft[name]) === undefined ? d.number : problem?.field(name)}
          >
            <Input
              inputMode="numeric"
              className="max-w-44"
              value={draft[name]}
              onChange={(event) => set({ [name]: event.target.value })}
            />
          </Field>
        ))}
      </div>
    </FiguresForm>
  );
}
