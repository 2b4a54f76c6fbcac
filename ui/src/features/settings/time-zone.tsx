import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { Me } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { t } from "@/strings";
import { security } from "./strings";

const words = security.zone;

/** The zone in which the member sees moments. */
export function TimeZone({ me }: { me: Me }) {
  const client = useQueryClient();
  const list = useId();
  const [zone, setZone] = useState(me.timeZone ?? "");
  const device = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const save = useMutation({
    mutationFn: () => api.updateMe({ timeZone: zone.trim() === "" ? null : zone.trim() }),
    onSuccess: (fresh) => {
      client.setQueryData(keys.me, fresh);
      toast.done(words.saved);
    },
  });
  const error = save.error && asApiError(save.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Field
        label={words.label}
        optional
        help={words.help}
        error={error ? (error.field("timeZone") ?? error.detail) : undefined}
        action={
          device !== zone && (
            <button
              type="button"
              onClick={() => setZone(device)}
              className="rounded text-accent-text text-xs underline-offset-2 hover:underline"
            >
              {words.device(device)}
            </button>
          )
        }
      >
        <div className="flex gap-2">
          <Input
            value={zone}
            onChange={(event) => setZone(event.target.value)}
            list={list}
            placeholder={device}
            autoComplete="off"
            spellCheck={false}
          />
          <datalist id={list}>
            {Intl.supportedValuesOf("timeZone").map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
          <Button
            type="submit"
            className="h-9"
            disabled={zone.trim() === (me.timeZone ?? "")}
            busy={save.isPending}
          >
            {t.common.save}
          </Button>
        </div>
      </Field>
    </form>
  );
}
