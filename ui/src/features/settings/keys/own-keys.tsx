import { useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Credentials, ProviderKind } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Skeleton } from "@/components/ui/skeleton";
import { staleQueues } from "@/live/apply";
import { KeyCard } from "./key-card";
import { own, providers } from "./strings";

/** The keys with which a member's runs call providers of models. */
export function OwnKeys() {
  const credentials = useQuery(queries.credentials());
  return (
    <Section id="keys" title={own.title} lead={own.lead}>
      {credentials.isPending ? (
        <Skeleton className="h-28 rounded-xl" />
      ) : credentials.isError ? (
        <ErrorState error={credentials.error} onRetry={() => credentials.refetch()} className="py-6" />
      ) : (
        <div className="flex flex-col gap-3">
          {(Object.keys(providers) as ProviderKind[]).map((provider) => (
            <OwnKey key={provider} provider={provider} all={credentials.data} />
          ))}
        </div>
      )}
    </Section>
  );
}

function OwnKey({ provider, all }: { provider: ProviderKind; all: Credentials }) {
  const client = useQueryClient();
  const { name, kept } = providers[provider];
  const credential = all.items.find((entry) => entry.provider === provider) ?? null;
  const team = all.teamKeys.find((entry) => entry.provider === provider) ?? null;
  const refresh = () => {
    void client.invalidateQueries({ queryKey: keys.models });
    staleQueues(client);
    return client.invalidateQueries({ queryKey: keys.credentials });
  };
  return (
    <KeyCard
      provider={provider}
      credential={credential}
      none={team?.inUse ? own.teamUsed : own.none}
      badge={team && !team.inUse && <Badge tone="accent">{own.teamSpare}</Badge>}
      removed={own.removed(team !== null, name)}
      testable={credential !== null && !kept}
      calls={{
        put: async (key) => {
          await api.putCredential(provider, key);
          await refresh();
        },
        remove: async () => {
          await api.deleteCredential(provider);
          await refresh();
        },
        test: async () => {
          const answer = await api.testCredential(provider);
          if (provider === "compatible") await refresh();
          return answer;
        },
      }}
    />
  );
}
