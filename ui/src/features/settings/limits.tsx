import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { LimitsChange, LimitsSettings } from "@/api/types";
import { FiguresForm, SettingsSection, wholeOf } from "@/components/settings-form";
import { Field, Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { dollarsOf, microsOf } from "@/features/usage/money";
import { useEdits } from "@/lib/edits";
import { limits as words } from "./limits-strings";

/** The one figure that is shown in another unit than it is kept in. */
const DOLLARS = "maxCostMicros";
/** The figures as they are written, by part and name. */
type Draft = Record<string, string>;

function draftOf(limits: LimitsSettings): Draft {
  const texts = (part: keyof LimitsSettings) =>
    Object.entries(limits[part]).map(([name, value]) => [
      `${part}.${name}`,
      name === DOLLARS ? dollarsOf(value) : String(value),
    ]);
  return Object.fromEntries([...texts("team"), ...texts("run")]);
}

/** Those that are to become others, as they are kept. */
function changeOf(changes: Draft): LimitsChange {
  const part = (of: keyof LimitsSettings) =>
    Object.fromEntries(
      Object.entries(changes)
        .filter(([path]) => path.startsWith(`${of}.`))
        .map(([path, text]) => [path.slice(of.length + 1), kept(path, text)]),
    );
  return { team: part("team"), run: part("run") } as LimitsChange;
}

/** What is kept of a figure as it was written: nothing for what is none. */
function kept(path: string, text: string): number | null {
  if (path.endsWith(DOLLARS)) return microsOf(text);
  return wholeOf(text, 12);
}

/** What agents may take, for each member and for the team. For admins. */
export function TeamLimits() {
  const limits = useQuery(queries.limits());
  return (
    <SettingsSection
      id="limits"
      title={words.title}
      lead={words.lead}
      settings={limits}
      height="h-[52rem] sm:h-[38rem]"
    >
      {(data) => <Form limits={data} />}
    </SettingsSection>
  );
}

function Form({ limits }: { limits: LimitsSettings }) {
  const client = useQueryClient();
  const { draft, changes, changed, clashes, set, drop, saved } = useEdits(draftOf(limits));
  const save = useMutation({
    mutationFn: (sent: Draft) => api.changeLimits(changeOf(sent)),
    onSuccess: (fresh, sent) => {
      client.setQueryData(keys.limits, fresh);
      saved(sent);
      toast.done(words.saved);
    },
  });
  const problem = save.error && asApiError(save.error);
  return (
    <FiguresForm
      problem={problem}
      valid={Object.entries(changes).every(([path, text]) => kept(path, text ?? "") !== null)}
      changed={changed}
      busy={save.isPending}
      clashes={clashes.length}
      onTakeTheirs={() => drop(clashes)}
      onSave={() => save.mutate(changes as Draft)}
    >
      {Object.entries(words.parts).map(([id, { title, fields }]) => {
        const part = id === "run" ? "run" : "team";
        return (
          <fieldset key={id} className="flex flex-col gap-3">
            <legend className="mb-3 font-medium text-muted text-sm">{title}</legend>
            <div className="grid gap-4 sm:grid-cols-2">
              {Object.entries(fields).map(([name, { label, help }]) => {
                const path = `${part}.${name}`;
                const text = draft[path] ?? "";
                const wrong = kept(path, text) === null ? words.number : problem?.field(path);
                return (
                  <Field key={name} label={label} help={help} error={wrong}>
                    <Input
                      inputMode={name === DOLLARS ? "decimal" : "numeric"}
                      className="max-w-44"
                      value={text}
                      onChange={(event) => set({ [path]: event.target.value })}
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
