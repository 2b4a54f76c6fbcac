import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ChevronRight, Plus, Webhook as WebhookIcon } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Webhook } from "@/api/types";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { cn } from "@/lib/cn";
import { Deliveries } from "./deliveries";
import { WebhookDialog } from "./dialog";
import { kind as kinds, words } from "./strings";

/** A member's webhooks, or the team's. */
export function Webhooks({ team }: { team: boolean }) {
  const hooks = useQuery(queries.webhooks(team));
  const [adding, setAdding] = useState(false);
  return (
    <div className="flex flex-col items-start gap-3">
      {hooks.isError ? (
        <ErrorState error={hooks.error} onRetry={() => void hooks.refetch()} className="py-6" />
      ) : hooks.data === undefined ? (
        <Skeleton className="h-15 w-full rounded-xl" />
      ) : hooks.data.length === 0 ? (
        <p className="text-muted text-sm">{words.none}</p>
      ) : (
        <ul className="w-full divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
          {hooks.data.map((hook) => (
            <Row key={hook.id} hook={hook} team={team} />
          ))}
        </ul>
      )}
      <Button onClick={() => setAdding(true)}>
        <Plus /> {words.add}
      </Button>
      <WebhookDialog team={team} open={adding} onOpenChange={setAdding} />
    </div>
  );
}

function Row({ hook, team }: { hook: Webhook; team: boolean }) {
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const [editing, setEditing] = useState(false);
  const [removing, setRemoving] = useState(false);
  const again = () => {
    void client.invalidateQueries({ queryKey: keys.webhooks(team) });
    void client.invalidateQueries({ queryKey: keys.deliveries(hook.id) });
  };
  const test = useMutation({
    mutationFn: () => api.testWebhook(team, hook.id),
    onSuccess: () => {
      setOpen(true);
      again();
      toast.done(words.tested);
    },
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  const switchOn = useMutation({
    mutationFn: () => api.changeWebhook(team, hook.id, {}),
    onSuccess: again,
    onError: (cause) => toast.error(undefined, asApiError(cause)),
  });
  return (
    <li className="px-4 py-3 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <WebhookIcon aria-hidden className="size-5 shrink-0 text-faint max-sm:hidden" />
        <div className="min-w-0 flex-1 basis-56">
          <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
            <span className="min-w-0 truncate font-medium">{hook.name}</span>
            {hook.offAt ? (
              <Badge tone="red">{words.off}</Badge>
            ) : (
              hook.failingSince && <Badge tone="amber">{words.failing}</Badge>
            )}
          </p>
          <p className="truncate text-faint text-xs">
            {hook.host} · {hook.kinds.map((one) => kinds[one].label).join(", ")}
          </p>
          {hook.offReason && <p className="text-red text-xs">{hook.offReason}</p>}
        </div>
        <div className="flex flex-wrap gap-2">
          {hook.offAt && (
            <Button size="sm" busy={switchOn.isPending} onClick={() => switchOn.mutate()}>
              {words.on}
            </Button>
          )}
          <Button size="sm" busy={test.isPending} onClick={() => test.mutate()}>
            {words.test}
          </Button>
          <Button size="sm" aria-label={words.editOf(hook.name)} onClick={() => setEditing(true)}>
            {words.edit}
          </Button>
          <Button size="sm" onClick={() => setRemoving(true)}>
            {words.remove}
          </Button>
        </div>
      </div>
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className="mt-2 flex items-center gap-1 rounded text-muted text-xs hover:text-ink"
      >
        <ChevronRight aria-hidden className={cn("size-3.5 transition-transform", open && "rotate-90")} />
        {words.log}
      </button>
      {open && <Deliveries hook={hook} team={team} />}
      <WebhookDialog team={team} hook={hook} open={editing} onOpenChange={setEditing} />
      <Confirm
        open={removing}
        onOpenChange={setRemoving}
        danger
        title={words.removeTitle(hook.name)}
        confirm={words.remove}
        onConfirm={async () => {
          try {
            await api.deleteWebhook(team, hook.id);
            again();
            toast.done(words.removed);
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {words.removeText}
      </Confirm>
    </li>
  );
}
