import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { Member, MemberRole } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Radios } from "@/components/ui/radios";
import { toast } from "@/components/ui/toast";
import { t } from "@/strings";
import { ROLES, whyNotRole } from "./rules";
import { team } from "./strings";

/** Gives a member another role; says of each why it cannot be given. */
export function RoleDialog({
  open,
  onOpenChange,
  me,
  member,
  members,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  me: Member;
  member: Member;
  members: Member[];
}) {
  const client = useQueryClient();
  const [chosen, setChosen] = useState<MemberRole | null>(null);
  const role = chosen ?? member.role;
  const close = () => {
    onOpenChange(false);
    setChosen(null);
    save.reset();
  };
  const save = useMutation({
    mutationFn: () => api.updateMember(member.id, { role }),
    onSuccess: () => {
      toast.done(team.role.done(member.name, t.role[role].label.toLowerCase()));
      close();
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.members }),
  });
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => (next ? onOpenChange(true) : close())}
      title={team.role.title(member.name)}
      description={me.id === member.id ? team.role.own : team.role.lead}
      footer={
        <>
          <Button onClick={close}>{t.common.cancel}</Button>
          <Button
            variant="primary"
            disabled={role === member.role}
            busy={save.isPending}
            onClick={() => save.mutate()}
          >
            {team.role.save}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 px-5 pt-2 pb-4">
        <Radios
          label={team.role.title(member.name)}
          value={role}
          onChange={setChosen}
          options={ROLES.map((value) => {
            const why = whyNotRole(me, member, value, members);
            return {
              value,
              label: t.role[value].label,
              help: why ?? t.role[value].may,
              disabled: why !== null,
            };
          })}
        />
        <FormError error={save.error && asApiError(save.error)} />
      </div>
    </Dialog>
  );
}
