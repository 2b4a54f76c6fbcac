import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ShieldBan } from "lucide-react";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { ProjectNetwork, RefusedHost } from "@/api/types";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { Time } from "@/lib/time";
import { settingsCalls } from "./calls";
import { network as s } from "./strings";

/** What a project's commands reach and were refused; the socket says when that changes. */
export const useNetwork = (projectId: string) =>
  useQuery({
    queryKey: keys.network(projectId),
    queryFn: ({ signal }) => settingsCalls.network(projectId, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** A host as an entry of a list says it. */
export const entryOf = ({ host, port }: Pick<RefusedHost, "host" | "port">) =>
  port === 80 || port === 443 ? host : `${host}:${port}`;

/** The hosts that commands of a project were refused, to be allowed or dismissed. */
export function Refused({
  projectId,
  mayManage,
  onAllowed,
}: {
  projectId: string;
  mayManage: boolean;
  onAllowed: (entry: string) => void;
}) {
  const refused = useNetwork(projectId).data?.refused ?? [];
  return (
    <div>
      <h3 className="font-medium text-sm">{s.refused}</h3>
      <p className="text-faint text-xs">{refused.length === 0 ? s.none : s.refusedLead}</p>
      <RefusedList projectId={projectId} hosts={refused} mayManage={mayManage} onAllowed={onAllowed} />
    </div>
  );
}

export function RefusedList({
  projectId,
  hosts,
  mayManage,
  onAllowed,
}: {
  projectId: string;
  hosts: RefusedHost[];
  mayManage: boolean;
  onAllowed?: (entry: string) => void;
}) {
  const client = useQueryClient();
  const put = (network: ProjectNetwork) => client.setQueryData(keys.network(projectId), network);
  const failed = (cause: unknown) => {
    toast.error(undefined, asApiError(cause));
  };
  const allow = useMutation({
    mutationFn: (host: RefusedHost) => settingsCalls.allowHost(projectId, entryOf(host)),
    onSuccess: (network, host) => {
      put(network);
      onAllowed?.(entryOf(host));
      toast.done(s.allowed(entryOf(host)));
    },
    onError: failed,
  });
  const dismiss = useMutation({
    mutationFn: ({ host, port }: RefusedHost) => settingsCalls.dismissHost(projectId, host, port),
    onSuccess: put,
    onError: failed,
  });
  const busy = allow.isPending || dismiss.isPending;
  if (hosts.length === 0) return null;
  return (
    <ul className="mt-2 divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
      {hosts.map((host) => {
        const name = `${host.host}:${host.port}`;
        return (
          <li key={name} className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 py-2.5">
            <ShieldBan aria-hidden className="size-4 shrink-0 text-amber" />
            <div className="min-w-40 flex-1">
              <span className="break-all font-mono text-xs">{name}</span>
              <p className="text-faint text-xs">
                {s.times(host.count)}, {s.last} <Time at={host.lastAt} />
              </p>
            </div>
            {mayManage && (
              <div className="flex gap-1.5">
                <Button
                  size="sm"
                  disabled={busy}
                  aria-label={s.allowOne(name)}
                  onClick={() => allow.mutate(host)}
                >
                  {s.allow}
                </Button>
                <Button
                  size="sm"
                  variant="ghost"
                  disabled={busy}
                  aria-label={s.dismissOne(name)}
                  onClick={() => dismiss.mutate(host)}
                >
                  {s.dismiss}
                </Button>
              </div>
            )}
          </li>
        );
      })}
    </ul>
  );
}
