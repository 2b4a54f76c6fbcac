import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useMe } from "@/api/queries";
import type { Me } from "@/api/types";
import { Section } from "@/components/page";
import { Avatar } from "@/components/ui/avatar";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { t } from "@/strings";
import { security } from "./strings";
import { TimeZone } from "./time-zone";

export function Profile() {
  const me = useMe().data;
  return (
    <Section title="Profile" id="profile">
      {me === undefined ? (
        <Skeleton className="h-44" />
      ) : (
        <div className="flex flex-col gap-4">
          {me.avatar !== null && <Picture me={me} />}
          <ProfileForm key={me.name} me={me} />
          <TimeZone key={me.timeZone} me={me} />
        </div>
      )}
    </Section>
  );
}

/** The picture that a provider gave, and the way to be rid of it. */
function Picture({ me }: { me: Me }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: api.removeAvatar,
    onSuccess: () => {
      client.setQueryData<Me>(keys.me, (known) => known && { ...known, avatar: null });
      void client.invalidateQueries({ queryKey: keys.members });
      toast.done(security.picture.removed);
    },
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
  return (
    <div className="flex items-center gap-3 text-sm">
      <Avatar name={me.name} id={me.id} picture={me.avatar} size="lg" />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{security.picture.label}</p>
        <p className="text-faint text-xs">{security.picture.help}</p>
      </div>
      <Button size="sm" busy={remove.isPending} onClick={() => remove.mutate()}>
        {security.picture.remove}
      </Button>
    </div>
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
