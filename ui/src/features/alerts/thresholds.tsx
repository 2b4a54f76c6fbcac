import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { AlertLevel, Thresholds } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { t } from "@/strings";
import { thresholds as labels, level as levels, words } from "./strings";

const NAMES = Object.keys(labels) as (keyof Thresholds)[];
const LEVELS: AlertLevel[] = ["warning", "critical"];
type Draft = Record<keyof Thresholds, Record<AlertLevel, string>>;

function draftOf(thresholds: Thresholds): Draft {
  const texts = (name: keyof Thresholds) => ({
    warning: String(thresholds[name].warning),
    critical: String(thresholds[name].critical),
  });
  return Object.fromEntries(NAMES.map((name) => [name, texts(name)])) as Draft;
}

const kept = (text: string) => (/^\d{1,9}$/.test(text.trim()) ? Number(text.trim()) : null);

/** From which figure on alerts are raised. */
export function ThresholdsForm() {
  const thresholds = useQuery(queries.thresholds());
  return (
    <Section id="thresholds" title={words.thresholds} lead={words.thresholdsLead}>
      {thresholds.data ? (
        <Form key={JSON.stringify(thresholds.data)} thresholds={thresholds.data} />
      ) : thresholds.isError ? (
        <ErrorState error={thresholds.error} onRetry={() => void thresholds.refetch()} className="py-6" />
      ) : (
        <Skeleton className="h-72 rounded-xl" />
      )}
    </Section>
  );
}

function Form({ thresholds }: { thresholds: Thresholds }) {
  const client = useQueryClient();
  const before = draftOf(thresholds);
  const [draft, setDraft] = useState(before);
  const save = useMutation({
    mutationFn: (next: Thresholds) => api.putThresholds(next),
    onSuccess: (fresh) => {
      client.setQueryData(keys.thresholds, fresh);
      toast.done(words.saved);
    },
  });
  const problem = save.error && asApiError(save.error);
  const valid = NAMES.every((name) => LEVELS.every((level) => kept(draft[name][level]) !== null));
  return (
    <form
      className="flex flex-col gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        if (!valid) return;
        const read = (name: keyof Thresholds) => ({
          warning: kept(draft[name].warning) ?? 0,
          critical: kept(draft[name].critical) ?? 0,
        });
        save.mutate(Object.fromEntries(NAMES.map((name) => [name, read(name)])) as unknown as Thresholds);
      }}
    >
      {problem && problem.fields.length === 0 && <FormError error={problem} />}
      {NAMES.map((name) => (
        <fieldset key={name} className="grid items-start gap-x-6 gap-y-2 sm:grid-cols-[minmax(0,1fr)_auto]">
          <legend className="sr-only">{labels[name].label}</legend>
          <div aria-hidden className="text-sm">
            <p className="font-medium">{labels[name].label}</p>
            <p className="text-faint text-xs">{labels[name].help}</p>
          </div>
          <div className="grid grid-cols-2 gap-3">
            {LEVELS.map((level) => {
              const text = draft[name][level];
              const wrong = kept(text) === null ? words.number : problem?.field(`${name}.${level}`);
              return (
                <Field key={level} label={levels[level]} error={wrong} className="w-36">
                  <Input
                    inputMode="numeric"
                    required
                    value={text}
                    onChange={(event) =>
                      setDraft({ ...draft, [name]: { ...draft[name], [level]: event.target.value } })
                    }
                  />
                </Field>
              );
            })}
          </div>
        </fieldset>
      ))}
      <div>
        <Button
          type="submit"
          busy={save.isPending}
          disabled={!valid || JSON.stringify(draft) === JSON.stringify(before)}
        >
          {t.common.save}
        </Button>
      </div>
    </form>
  );
}
