import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { LimitsSettings } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { dollarsOf, microsOf } from "@/features/usage/money";
import { t } from "@/strings";
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
  return /^\d{1,12}$/.test(text.trim()) ? Number(text.trim()) : null;
}

/** What agents may take, for each member and for the team. For admins. */
export function TeamLimits() {
  const limits = useQuery(queries.limits());
  return (
    <Section id="limits" title={words.title} lead={words.lead}>
      {limits.isError ? (
        <ErrorState error={limits.error} onRetry={() => limits.refetch()} className="py-6" />
      ) : limits.data === undefined ? (
        <Skeleton className="h-72 rounded-xl" />
      ) : (
        <Form key={JSON.stringify(limits.data)} limits={limits.data} />
      )}
    </Section>
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
    <form
      className="flex flex-col gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        if (!valid) return;
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
