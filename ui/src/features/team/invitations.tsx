import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { MailQuestion } from "lucide-react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries, useMembers } from "@/api/queries";
import type { Invitation } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Time, useNow } from "@/lib/time";
import { t } from "@/strings";
import { team } from "./strings";

/** The invitations that wait to be accepted. */
export function Invitations() {
  const invitations = useQuery(queries.invitations());
  const now = useNow();
  const open = invitations.data?.filter(
    (one) => one.usedAt === null && one.revokedAt === null && Date.parse(one.expiresAt) > now,
  );
  return (
    <Section id="invitations" title={team.invitations.title} lead={team.invitations.lead}>
      {invitations.isError ? (
        <ErrorState error={invitations.error} onRetry={() => invitations.refetch()} className="py-6" />
      ) : open === undefined ? (
        <Skeleton className="h-15 rounded-xl" />
      ) : open.length === 0 ? (
        <p className="text-muted text-sm">{team.invitations.none}</p>
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
  const inviter = useMembers().data?.find((member) => member.id === invitation.createdBy);
  const revoke = useMutation({
    mutationFn: () => api.revokeInvitation(invitation.id),
    onSuccess: () => toast.done(team.invitations.revoked(invitation.email)),
    onError: (error) => toast.error(undefined, asApiError(error)),
    onSettled: () => client.invalidateQueries({ queryKey: keys.invitations }),
  });
  return (
    <li className="flex items-center gap-3 px-4 py-3 text-sm">
      <MailQuestion aria-hidden className="size-5 shrink-0 text-faint max-sm:hidden" />
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium">{invitation.email}</p>
        <p className="text-faint text-xs">
          {t.role[invitation.role].label} · {team.invitations.ends} <Time at={invitation.expiresAt} />
          {inviter && ` · ${team.invitations.by} ${inviter.name}`}
        </p>
      </div>
      <Button
        size="sm"
        busy={revoke.isPending}
        aria-label={team.invitations.revokeOf(invitation.email)}
        onClick={() => revoke.mutate()}
      >
        {team.invitations.revoke}
      </Button>
    </li>
  );
}
