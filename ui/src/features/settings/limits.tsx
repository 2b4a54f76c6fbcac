import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { LimitsSettings } from "@/api/types";
import { FiguresForm, SettingsSection, wholeOf } from "@/components/settings-form";
import { Field, Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { dollarsOf, microsOf } from "@/features/usage/money";
import { limits as words } from "./limits-strings";

type Part = "team" | "run";
type Draft = Record<Part, Record<string, string>>;

/** The one figure that is shown in another unit than it is kept in. */
const DOLLARS = "maxCostMicros";

function draftOf(limits: LimitsSettings): Draft {
  const texts = (part: object) =>
    Object.fromEntries(
      Object.entries(part).map(([name, value]) => [
        name,
        name === DOLLARS ? dollarsOf(value) : String(value),
      ]),
    );
  return { team: texts(limits.team), run: texts(limits.run) };
}

/** What is kept of a figure as it was written: nothing for what is none. */
function kept(name: string, text: string): number | null {
  if (name === DOLLARS) return microsOf(text);
  return wholeOf(text, 12);
}

/** What agents may take, for each member and for the team. For admins. */
export function TeamLimits() {
  const limits = useQuery(queries.limits());
  return (
    <SettingsSection id="limits" title={words.title} lead={words.lead} settings={limits}>
      {(data) => <Form key={JSON.stringify(data)} limits={data} />}
    </SettingsSection>
  );
}

function Form({ limits }: { limits: LimitsSettings }) {
  const client = useQueryClient();
  const before = draftOf(limits);
  const [draft, setDraft] = useState(before);
  const save = useMutation({
    mutationFn: (next: LimitsSettings) => api.putLimits(next),
    onSuccess: (fresh) => {
      client.setQueryData(keys.limits, fresh);
      toast.done(words.saved);
    },
  });
  const problem = save.error && asApiError(save.error);
  const read = (part: Part) =>
    Object.entries(draft[part]).map(([name, text]) => [name, kept(name, text)] as const);
  const valid = [...read("team"), ...read("run")].every(([, value]) => value !== null);
  return (
    <FiguresForm
      problem={problem}
      valid={valid}
      changed={JSON.stringify(draft) !== JSON.stringify(before)}
      busy={save.isPending}
      onSave={() => {
        const next = { team: Object.fromEntries(read("team")), run: Object.fromEntries(read("run")) };
        save.mutate(next as unknown as LimitsSettings);
      }}
    >
      {Object.entries(words.parts).map(([id, { title, fields }]) => {
        const part: Part = id === "run" ? "run" : "team";
        return (
          <fieldset key={id} className="flex flex-col gap-3">
            <legend className="mb-3 font-medium text-muted text-sm">{title}</legend>
            <div className="grid gap-4 sm:grid-cols-2">
              {Object.entries(fields).map(([name, { label, help }]) => {
                const text = draft[part][name] ?? "";
                const wrong = kept(name, text) === null ? words.number : problem?.field(`${part}.${name}`);
                return (
                  <Field key={name} label={label} help={help} error={wrong}>
                    <Input
                      inputMode={name === DOLLARS ? "decimal" : "numeric"}
                      required
                      className="max-w-44"
                      value={text}
                      onChange={(event) =>
                        setDraft({ ...draft, [part]: { ...draft[part], [name]: event.target.value } })
                      }
                    />
                  </Field>
                );
              })}
            </div>
          </fieldset>
        );
      })}
    </FiguresForm>
  );
}
