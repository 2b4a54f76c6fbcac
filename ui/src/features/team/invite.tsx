import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { CreatedInvitation, MemberRole } from "@/api/types";
import { FormError } from "@/components/form-error";
import { SecretOnce } from "@/components/secret-once";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Radios } from "@/components/ui/radios";
import { Switch } from "@/components/ui/switch";
import { t } from "@/strings";
import { INVITED } from "./rules";
import { team } from "./strings";

const FORM = "invite-form";

/** Invites somebody by e-mail address and role, and shows the link once. */
export function InviteDialog({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const client = useQueryClient();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<MemberRole>("member");
  const mailOn = useQuery(queries.authStatus()).data?.mail === true;
  const [mail, setMail] = useState(true);
  const [made, setMade] = useState<CreatedInvitation | null>(null);
  const invite = useMutation({
    mutationFn: () => api.invite({ email: email.trim(), role, mail: mailOn && mail }),
    onSuccess: (invitation) => {
      setMade(invitation);
      setEmail("");
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.invitations }),
  });
  const error = invite.error && asApiError(invite.error);
  const change = (next: boolean) => {
    onOpenChange(next);
    if (next) return;
    setMade(null);
    invite.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    invite.mutate();
  };
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title={
        made === null
          ? team.invite.title
          : made.mailed
            ? team.invite.mailed(made.email)
            : team.invite.made(made.email)
      }
      description={team.invite.lead}
      footer={
        made === null ? (
          <>
            <Button onClick={() => change(false)}>{t.common.cancel}</Button>
            <Button type="submit" form={FORM} variant="primary" busy={invite.isPending}>
              {team.invite.make}
            </Button>
          </>
        ) : (
          <>
            <Button onClick={() => setMade(null)}>{team.invite.another}</Button>
            <Button onClick={() => change(false)}>{team.invite.done}</Button>
          </>
        )
      }
    >
      <div className="px-5 pt-2 pb-4">
        {made === null ? (
          <form id={FORM} onSubmit={submit} className="flex flex-col gap-4">
            <Field label={team.invite.email} error={error?.field("email")}>
              <Input
                type="email"
                value={email}
                onChange={(event) => setEmail(event.target.value)}
                placeholder="anna@example.com"
                autoComplete="off"
                required
                autoFocus
              />
            </Field>
            <Radios
              label={team.invite.role}
              showLabel
              value={role}
              onChange={setRole}
              options={INVITED.map((value) => ({
                value,
                label: t.role[value].label,
                help: t.role[value].may,
              }))}
            />
            {mailOn && (
              <Switch
                checked={mail}
                onChange={setMail}
                label={team.invite.mail}
                help={team.invite.mailHelp}
              />
            )}
            <FormError error={error && error.field("email") === undefined ? error : null} />
          </form>
        ) : (
          <SecretOnce label={team.invite.link} value={made.url} note={team.invite.once} />
        )}
      </div>
    </Dialog>
  );
}
