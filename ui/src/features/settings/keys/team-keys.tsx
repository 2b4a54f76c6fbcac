import { useQuery, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import { queries, useMembers } from "@/api/queries";
import type { ProviderKind, TeamCredentials } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Skeleton } from "@/components/ui/skeleton";
import { staleQueues } from "@/live/apply";
import { KeyCard } from "./key-card";
import { providers, team } from "./strings";

/** The keys that an admin gives to the whole team. */
export function TeamKeys() {
  const credentials = useQuery(queries.teamCredentials());
  return (
    <Section id="team-keys" title={team.title} lead={team.lead}>
      {credentials.isPending ? (
        <Skeleton className="h-28 rounded-xl" />
      ) : credentials.isError ? (
        <ErrorState error={credentials.error} onRetry={() => credentials.refetch()} className="py-6" />
      ) : (
        <div className="flex flex-col gap-3">
          {(Object.keys(providers) as ProviderKind[])
            .filter((provider) => !providers[provider].kept)
            .map((provider) => (
              <TeamKey key={provider} provider={provider} all={credentials.data} />
            ))}
        </div>
      )}
    </Section>
  );
}

function TeamKey({ provider, all }: { provider: ProviderKind; all: TeamCredentials }) {
  const client = useQueryClient();
  const members = useMembers().data;
  const { name } = providers[provider];
  const credential = all.items.find((entry) => entry.provider === provider) ?? null;
  const configured = all.configured.includes(provider);
  const by = members?.find((member) => member.id === credential?.putBy);
  const refresh = () => {
    void client.invalidateQueries({ queryKey: keys.models });
    staleQueues(client);
    void client.invalidateQueries({ queryKey: keys.credentials });
    return client.invalidateQueries({ queryKey: keys.teamCredentials });
  };
  return (
    <KeyCard
      provider={provider}
      credential={credential}
      none={configured ? team.configured : team.none}
      aside={by ? ` ${team.by(by.name)}` : null}
      removed={team.removed(configured, name)}
      testable={credential !== null || configured}
      calls={{
        put: async (key) => {
          await api.putTeamCredential(provider, key);
          await refresh();
        },
        remove: async () => {
          await api.deleteTeamCredential(provider);
          await refresh();
        },
        test: async () => {
          const answer = await api.testTeamCredential(provider);
          if (provider === "compatible") await refresh();
          return answer;
        },
      }}
    />
  );
}
