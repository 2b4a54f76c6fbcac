import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMe } from "@/api/queries";
import { FormError } from "@/components/form-error";
import { Section } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { security } from "./strings";

const words = security.password;

/** Changes one's own password, or sets the first one. */
export function Password() {
  const client = useQueryClient();
  const me = useMe().data;
  const email = me?.email ?? "";
  const has = me?.hasPassword ?? true;
  const [differ, setDiffer] = useState(false);
  const save = useMutation({
    mutationFn: api.updateMe,
    onSuccess: (fresh) => {
      client.setQueryData(keys.me, fresh);
      void client.invalidateQueries({ queryKey: keys.sessions });
      toast.done(has ? words.saved : words.wasSet);
    },
  });
  const error = save.error && asApiError(save.error);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const data = new FormData(form);
    const text = (name: string) => String(data.get(name) ?? "");
    const same = text("new") === text("again");
    setDiffer(!same);
    if (!same) return;
    save.mutate(
      { ...(has ? { currentPassword: text("current") } : {}), newPassword: text("new") },
      { onSuccess: () => form.reset() },
    );
  };
  return (
    <Section id="password" title={words.title} lead={has ? words.lead : words.noneLead}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <input type="text" name="username" autoComplete="username" value={email} readOnly hidden />
        {has && (
          <Field label={words.current} error={error?.field("currentPassword")}>
            <Input name="current" type="password" autoComplete="current-password" required />
          </Field>
        )}
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={words.next} help={words.help} error={error?.field("newPassword")}>
            <Input name="new" type="password" autoComplete="new-password" required minLength={12} />
          </Field>
          <Field label={words.again} error={differ ? words.differ : undefined}>
            <Input name="again" type="password" autoComplete="new-password" required />
          </Field>
        </div>
        <FormError error={error && error.fields.length === 0 ? error : null} />
        <Button type="submit" className="self-start" busy={save.isPending}>
          {has ? words.save : words.set}
        </Button>
      </form>
    </Section>
  );
}
