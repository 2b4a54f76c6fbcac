import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Thresholds } from "@/api/types";
import { FiguresForm, SettingsSection } from "@/components/settings-form";
import { Field, Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { useEdits } from "@/lib/edits";
import { changeOf, type Draft, draftOf, isLeft, isWhole, kept, LEVELS } from "./figures";
import { thresholds as labels, level as levels, words } from "./strings";

const NAMES = Object.keys(labels) as (keyof Thresholds)[];

/** From which figure on alerts are raised. */
export function ThresholdsForm() {
  const thresholds = useQuery(queries.thresholds());
  return (
    <SettingsSection
      id="thresholds"
      title={words.thresholds}
      lead={words.thresholdsLead}
      settings={thresholds}
      height="h-[76rem] sm:h-[52rem]"
    >
      {(data) => <Form thresholds={data} />}
    </SettingsSection>
  );
}

function Form({ thresholds }: { thresholds: Thresholds }) {
  const client = useQueryClient();
  const { draft, changes, changed, clashes, set, drop, saved } = useEdits(draftOf(thresholds));
  const save = useMutation({
    mutationFn: (sent: Partial<Draft>) => api.changeThresholds(changeOf(sent)),
    onSuccess: (fresh, sent) => {
      client.setQueryData(keys.thresholds, fresh);
      saved(sent);
      toast.done(words.saved);
    },
  });
  const problem = save.error && asApiError(save.error);
  return (
    <FiguresForm
      problem={problem}
      valid={NAMES.every((name) => isWhole(name, draft[name]))}
      changed={changed}
      busy={save.isPending}
      clashes={clashes.length}
      onTakeTheirs={() => drop(clashes)}
      onSave={() => save.mutate(changes)}
    >
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
              const missing = kept(text) === null && !isLeft(name, draft[name]);
              const wrong = missing ? words.number : problem?.field(`${name}.${level}`);
              return (
                <Field key={level} label={levels[level]} error={wrong} className="w-36">
                  <Input
                    inputMode="numeric"
                    value={text}
                    onChange={(event) => set({ [name]: { ...draft[name], [level]: event.target.value } })}
                  />
                </Field>
              );
            })}
          </div>
        </fieldset>
      ))}
    </FiguresForm>
  );
}
