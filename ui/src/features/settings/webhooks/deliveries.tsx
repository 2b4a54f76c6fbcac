import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { RotateCw } from "lucide-react";
import { useEffect } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Delivery, NotificationKind, Webhook } from "@/api/types";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Time } from "@/lib/time";
import { kind as kinds, status, words } from "./strings";

const TONE = { waiting: "amber", delivered: "green", failed: "red" } as const;

const nameOf = (one: Delivery) =>
  one.kind in kinds ? kinds[one.kind as NotificationKind].label : words.testKind;

/** What was sent to a webhook, and what became of it. */
export function Deliveries({ hook, team }: { hook: Webhook; team: boolean }) {
  const client = useQueryClient();
  const log = useQuery(queries.deliveries(team, hook.id));
  const again = useMutation({
    mutationFn: (id: string) => api.sendAgain(team, hook.id, id),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.deliveries(hook.id) });
      void client.invalidateQueries({ queryKey: keys.webhooks(team) });
      toast.done(words.sentAgain);
    },
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  // What came of a try changes the webhook as well: it fails, is well again, or is switched off.
  const tried = log.data?.find((one) => one.triedAt !== null)?.triedAt;
  useEffect(() => {
    if (tried) void client.invalidateQueries({ queryKey: keys.webhooks(team) });
  }, [client, team, tried]);
  if (log.isError)
    return <ErrorState error={log.error} onRetry={() => void log.refetch()} className="py-4" />;
  if (log.data === undefined) return <Skeleton className="mt-2 h-12 w-full rounded-lg" />;
  if (log.data.length === 0) return <p className="mt-2 text-faint text-xs">{words.noLog}</p>;
  return (
    <ul
      aria-label={words.logOf(hook.name)}
      className="mt-2 divide-y divide-line rounded-lg border border-line"
    >
      {log.data.map((one) => (
        <li key={one.id} className="flex items-start gap-3 px-3 py-2 text-xs">
          <div className="min-w-0 flex-1">
            <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
              <span className="font-medium">{nameOf(one)}</span>
              <Badge tone={TONE[one.status]}>{status[one.status]}</Badge>
              <span className="num text-faint">
                <Time at={one.triedAt ?? one.createdAt} />
                {one.statusCode !== null && ` · ${one.statusCode}`}
                {one.durationMs !== null && ` · ${words.took(one.durationMs)}`}
                {one.attempts > 0 && ` · ${words.attempts(one.attempts)}`}
                {one.status === "waiting" && one.attempts > 0 && (
                  <>
                    {` · ${words.next} `}
                    <Time at={one.nextAt} />
                  </>
                )}
              </span>
            </p>
            {one.problem && <p className="text-red">{one.problem}</p>}
            {one.answer && (
              <p className="max-h-10 overflow-hidden break-all font-mono text-faint">
                {one.answer.slice(0, 200)}
              </p>
            )}
          </div>
          <Button
            size="sm"
            variant="ghost"
            aria-label={words.againOf(nameOf(one))}
            title={words.again}
            disabled={again.isPending}
            onClick={() => again.mutate(one.id)}
          >
            <RotateCw />
          </Button>
        </li>
      ))}
    </ul>
  );
}
