import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Plug } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { ConnectedClient } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { scope } from "@/features/settings/strings";
import { Time } from "@/lib/time";
import { CopyLine } from "./copy-line";
import { tools, connect as words } from "./strings";

/** How to connect programs that speak MCP, and those that are connected. */
export function ConnectTools() {
  const clients = useQuery(queries.clients());
  return (
    <Section id="connect" title={words.title} lead={words.lead}>
      {clients.isError ? (
        <ErrorState error={clients.error} onRetry={() => clients.refetch()} className="py-6" />
      ) : clients.data === undefined ? (
        <Skeleton className="h-40 w-full rounded-xl" />
      ) : (
        <div className="flex flex-col gap-5">
          <CopyLine label={words.address} value={clients.data.url} />
          <div>
            <h3 className="mb-2 font-medium text-sm">{words.how}</h3>
            <ul className="flex flex-col gap-3">
              {tools.map((tool) => (
                <li key={tool.id} className="flex flex-col gap-1">
                  <p className="text-sm">
                    {tool.label} <span className="text-faint text-xs">{tool.note}</span>
                  </p>
                  <CopyLine label={tool.label} value={tool.line(clients.data.url)} />
                </li>
              ))}
            </ul>
            <p className="mt-3 text-faint text-xs">{words.byToken}</p>
          </div>
          <div>
            <h3 className="mb-2 font-medium text-sm">{words.connected}</h3>
            {clients.data.items.length === 0 ? (
              <p className="text-muted text-sm">{words.none}</p>
            ) : (
              <ul className="w-full divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
                {clients.data.items.map((client) => (
                  <Row key={client.id} client={client} />
                ))}
              </ul>
            )}
          </div>
        </div>
      )}
    </Section>
  );
}

function Row({ client }: { client: ConnectedClient }) {
  const cache = useQueryClient();
  const [ending, setEnding] = useState(false);
  return (
    <li className="flex items-center gap-3 px-4 py-3 text-sm">
      <Plug aria-hidden className="size-5 shrink-0 text-faint max-sm:hidden" />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span className="min-w-0 truncate font-medium">{client.name}</span>
          {client.scopes.map((name) => (
            <Badge key={name} title={scope[name].may}>
              {scope[name].label}
            </Badge>
          ))}
        </p>
        <p className="text-faint text-xs">
          {words.since} <Time at={client.createdAt} /> ·{" "}
          {client.lastUsedAt ? (
            <>
              {words.used} <Time at={client.lastUsedAt} />
            </>
          ) : (
            words.unused
          )}
        </p>
      </div>
      <Button size="sm" aria-label={words.endOf(client.name)} onClick={() => setEnding(true)}>
        {words.end}
      </Button>
      <Confirm
        open={ending}
        onOpenChange={setEnding}
        danger
        title={words.endTitle(client.name)}
        confirm={words.end}
        onConfirm={async () => {
          try {
            await api.disconnectClient(client.id);
            await cache.invalidateQueries({ queryKey: keys.clients });
            toast.done(words.ended);
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {words.endText}
      </Confirm>
    </li>
  );
}
