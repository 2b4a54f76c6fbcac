import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMe } from "@/api/queries";
import type { Me } from "@/api/types";
import { Section } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { t } from "@/strings";
import { TimeZone } from "./time-zone";

export function Profile() {
  const me = useMe().data;
  return (
    <Section title="Profile" id="profile">
      {me === undefined ? (
        <Skeleton className="h-44" />
      ) : (
        <div className="flex flex-col gap-4">
          <ProfileForm key={me.name} me={me} />
          <TimeZone key={me.timeZone} me={me} />
        </div>
      )}
    </Section>
  );
}

function ProfileForm({ me }: { me: Me }) {
  const client = useQueryClient();
  const [name, setName] = useState(me.name);
  const save = useMutation({
    mutationFn: () => api.updateMe({ name: name.trim() }),
    onSuccess: (fresh) => {
      client.setQueryData(keys.me, fresh);
      void client.invalidateQueries({ queryKey: keys.members });
      toast.done("Name saved");
    },
  });
  const error = save.error === null ? null : asApiError(save.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field label="Name" error={error ? (error.field("name") ?? error.detail) : undefined}>
        <div className="flex gap-2">
          <Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} />
          <Button
            type="submit"
            size="md"
            className="h-9"
            disabled={name.trim() === me.name}
            busy={save.isPending}
          >
            Save
          </Button>
        </div>
      </Field>
      <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1 text-sm">
        <dt className="text-faint">E-mail</dt>
        <dd className="break-all">{me.email}</dd>
        <dt className="text-faint">Role</dt>
        <dd>{t.role[me.role].label}</dd>
      </dl>
    </form>
  );
}
