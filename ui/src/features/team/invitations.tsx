import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { MailQuestion } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries, useMembers } from "@/api/queries";
import type { Invitation } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Section } from "@/components/page";
import { SecretOnce } from "@/components/secret-once";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Time, useNow } from "@/lib/time";
import { t } from "@/strings";
import { team } from "./strings";

const words = team.invitations;

/** The invitations that wait to be accepted. */
export function Invitations() {
  const invitations = useQuery(queries.invitations());
  const now = useNow();
  const open = invitations.data?.filter(
    (one) => one.usedAt === null && one.revokedAt === null && Date.parse(one.expiresAt) > now,
  );
  return (
    <Section id="invitations" title={words.title} lead={words.lead}>
      {invitations.isError ? (
        <ErrorState error={invitations.error} onRetry={() => invitations.refetch()} className="py-6" />
      ) : open === undefined ? (
        <Skeleton className="h-15 rounded-xl" />
      ) : open.length === 0 ? (
        <p className="text-muted text-sm">{words.none}</p>
      ) : (
        <ul className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
          {open.map((invitation) => (
            <Row key={invitation.id} invitation={invitation} />
          ))}
        </ul>
      )}
    </Section>
  );
}

function Row({ invitation }: { invitation: Invitation }) {
  const client = useQueryClient();
  const [renewing, setRenewing] = useState(false);
  const inviter = useMembers().data?.find((member) => member.id === invitation.createdBy);
  const revoke = useMutation({
    mutationFn: () => api.revokeInvitation(invitation.id),
    onSuccess: () => toast.done(words.revoked(invitation.email)),
    onError: (error) => toast.error(undefined, asApiError(error)),
    onSettled: () => client.invalidateQueries({ queryKey: keys.invitations }),
  });
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 py-3 text-sm">
      <MailQuestion aria-hidden className="size-5 shrink-0 text-faint max-sm:hidden" />
      <div className="min-w-0 flex-1 basis-52">
        <p className="truncate font-medium">{invitation.email}</p>
        <p className="text-faint text-xs">
          {t.role[invitation.role].label} · {words.ends} <Time at={invitation.expiresAt} />
          {inviter && ` · ${words.by} ${inviter.name}`}
        </p>
      </div>
      <Button size="sm" aria-label={words.renewOf(invitation.email)} onClick={() => setRenewing(true)}>
        {words.renew}
      </Button>
      <NewLink invitation={invitation} open={renewing} onOpenChange={setRenewing} />
      <Button
        size="sm"
        busy={revoke.isPending}
        aria-label={words.revokeOf(invitation.email)}
        onClick={() => revoke.mutate()}
      >
        {words.revoke}
      </Button>
    </li>
  );
}

/** Makes the link anew, when it got lost: the one before it ends. */
function NewLink({
  invitation,
  open,
  onOpenChange,
}: {
  invitation: Invitation;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const client = useQueryClient();
  const mailOn = useQuery(queries.authStatus()).data?.mail === true;
  const { email, role } = invitation;
  const renew = useMutation({ mutationFn: () => api.invite({ email, role, mail: mailOn }) });
  const change = (next: boolean) => {
    onOpenChange(next);
    // Until then its row, and this window with it, would go.
    if (!next && renew.isSuccess) void client.invalidateQueries({ queryKey: keys.invitations });
    if (!next) renew.reset();
  };
  return (
    <Dialog
      open={open}
      onOpenChange={change}
      title={words.renewTitle(email)}
      description={words.renewText}
      footer={
        renew.data ? (
          <Button onClick={() => change(false)}>{team.invite.done}</Button>
        ) : (
          <>
            <Button onClick={() => change(false)}>{t.common.cancel}</Button>
            <Button variant="primary" busy={renew.isPending} onClick={() => renew.mutate()}>
              {words.renew}
            </Button>
          </>
        )
      }
    >
      <div className="flex flex-col gap-3 px-5 pt-2 pb-4">
        {renew.data && (
          <>
            {renew.data.mailed && <p className="text-sm">{team.invite.mailed(email)}</p>}
            <SecretOnce label={team.invite.link} value={renew.data.url} note={team.invite.once} />
          </>
        )}
        <FormError error={renew.error && asApiError(renew.error)} />
      </div>
    </Dialog>
  );
}
