import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { LogOut, MonitorSmartphone } from "lucide-react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Session } from "@/api/types";
import { useSignOut } from "@/app/member-menu";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Time } from "@/lib/time";
import { deviceName } from "./device";
import { security } from "./strings";

/** Where this member is signed in. */
export function Sessions() {
  const sessions = useQuery(queries.sessions());
  return (
    <Section id="sessions" title="Sessions" lead="Where you are signed in. End what you do not know.">
      {sessions.isPending ? (
        <Skeleton className="h-32 rounded-xl" />
      ) : sessions.isError ? (
        <ErrorState error={sessions.error} onRetry={() => sessions.refetch()} className="py-6" />
      ) : (
        <>
          <ul className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
            {sessions.data.map((session) => (
              <Row key={session.id} session={session} />
            ))}
          </ul>
          {sessions.data.length > 2 && <EndOthers />}
        </>
      )}
    </Section>
  );
}

/** Ends all sessions but this one. */
function EndOthers() {
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: api.endOtherSessions,
    onSuccess: () => toast.done(security.sessions.endedOthers),
    onError: (error) => toast.error(undefined, asApiError(error)),
    onSettled: () => client.invalidateQueries({ queryKey: keys.sessions }),
  });
  return (
    <Button className="mt-3" busy={end.isPending} onClick={() => end.mutate()}>
      {security.sessions.endOthers}
    </Button>
  );
}

function Row({ session }: { session: Session }) {
  const client = useQueryClient();
  const leave = useSignOut();
  const end = useMutation({
    mutationFn: () => api.endSession(session.id),
    onSuccess: () =>
      client.setQueryData<Session[]>(keys.sessions, (list) =>
        list?.filter((entry) => entry.id !== session.id),
      ),
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
  return (
    <li className="flex items-center gap-3 px-4 py-3 text-sm">
      <MonitorSmartphone aria-hidden className="size-5 shrink-0 text-faint" />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-2 font-medium">
          <span title={session.userAgent ?? undefined}>{deviceName(session.userAgent ?? "")}</span>
          {session.current && <Badge tone="accent">This one</Badge>}
        </p>
        <p className="text-faint text-xs">
          {session.address && `${session.address} · `}used <Time at={session.lastUsedAt} /> · signed in{" "}
          <Time at={session.createdAt} />
        </p>
      </div>
      {session.current ? (
        <Button size="sm" onClick={() => void leave()}>
          <LogOut /> Sign out
        </Button>
      ) : (
        <Button size="sm" busy={end.isPending} onClick={() => end.mutate()}>
          End
        </Button>
      )}
    </li>
  );
}
