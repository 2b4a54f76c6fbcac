import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { body, client as http } from "@/api/client";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { ReportChoice } from "@/api/types";
import { Section } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/input";
import { Switch } from "@/components/ui/switch";
import { TimeInput } from "@/components/ui/time-input";
import { toast } from "@/components/ui/toast";
import { reports } from "@/features/reports/strings";
import { t } from "@/strings";

const words = reports.settings;

/** How the member is told of what auto mode did. */
export function MorningReport() {
  const choice = useQuery(queries.reportSettings()).data;
  return (
    <Section id="morning-report" title={words.title} lead={words.lead}>
      {choice && <Form choice={choice} />}
    </Section>
  );
}

function Form({ choice }: { choice: ReportChoice }) {
  const client = useQueryClient();
  const [morning, setMorning] = useState(choice.morning);
  const [mail, setMail] = useState(choice.mail);
  useEffect(() => {
    setMorning(choice.morning);
    setMail(choice.mail);
  }, [choice]);
  const save = useMutation({
    mutationFn: () => body(http.PUT("/api/report-settings", { body: { morning, mail } })),
    onSuccess: (fresh) => {
      client.setQueryData(keys.reportSettings, fresh);
      toast.done(words.saved);
    },
  });
  const error = save.error && asApiError(save.error);
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <Field
        label={words.morning}
        help={words.morningHelp}
        error={error ? (error.field("morning") ?? error.detail) : undefined}
      >
        <TimeInput className="max-w-36" value={morning} onChange={setMorning} />
      </Field>
      {choice.mailIsOn || mail ? (
        <Switch checked={mail} onChange={setMail} label={words.mail} help={words.mailHelp} />
      ) : (
        <p className="text-muted text-sm">{words.mailOff}</p>
      )}
      <div>
        {/* Never out of reach: a time that is typed is known only once its field is left, also for this button. */}
        <Button type="submit" busy={save.isPending}>
          {t.common.save}
        </Button>
      </div>
    </form>
  );
}
