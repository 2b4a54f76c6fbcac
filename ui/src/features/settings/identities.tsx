import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { Link2 } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Identity, Provider } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Problem } from "@/features/sign-in/problem";
import { Time } from "@/lib/time";
import { security } from "./strings";

const words = security.identities;

/** The accounts at providers by which the member signs in. Not there where there is neither a provider nor an account. */
export function Identities() {
  const { problem } = useSearch({ from: "/frame/settings" });
  const identities = useQuery(queries.identities());
  const providers = useQuery(queries.authStatus()).data?.providers ?? [];
  if (providers.length === 0 && (identities.data?.length ?? 0) === 0) return null;
  return (
    <Section id="identities" title={words.title} lead={words.lead}>
      <div className="flex flex-col items-start gap-3">
        <Problem code={problem} />
        {identities.isError ? (
          <ErrorState error={identities.error} onRetry={() => identities.refetch()} className="py-6" />
        ) : identities.data === undefined ? (
          <Skeleton className="h-15 w-full rounded-xl" />
        ) : identities.data.length === 0 ? (
          <p className="text-muted text-sm">{words.none}</p>
        ) : (
          <ul className="w-full divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
            {identities.data.map((identity) => (
              <Row key={identity.id} identity={identity} />
            ))}
          </ul>
        )}
        <div className="flex flex-wrap gap-2">
          {providers.map((provider) => (
            <LinkButton key={provider.name} provider={provider} />
          ))}
        </div>
      </div>
    </Section>
  );
}

function LinkButton({ provider }: { provider: Provider }) {
  const link = useMutation({
    mutationFn: () => api.linkIdentity(provider.name),
    onSuccess: ({ url }) => location.assign(url),
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
  return (
    <Button busy={link.isPending || link.isSuccess} onClick={() => link.mutate()}>
      {words.link(provider.label)}
    </Button>
  );
}

function Row({ identity }: { identity: Identity }) {
  const client = useQueryClient();
  const [unlinking, setUnlinking] = useState(false);
  return (
    <li className="flex items-center gap-3 px-4 py-3 text-sm">
      <Link2 aria-hidden className="size-5 shrink-0 text-faint max-sm:hidden" />
      <div className="min-w-0 flex-1">
        <p className="break-words">
          <span className="font-medium">{identity.label}</span>
          {identity.email && <span className="text-muted"> {identity.email}</span>}
        </p>
        <p className="text-faint text-xs">
          {words.linkedAt} <Time at={identity.createdAt} /> ·{" "}
          {identity.lastUsedAt ? (
            <>
              {words.used} <Time at={identity.lastUsedAt} />
            </>
          ) : (
            words.unused
          )}
          {identity.provider === null && ` · ${words.off}`}
        </p>
      </div>
      <Button size="sm" aria-label={words.unlinkOf(identity.label)} onClick={() => setUnlinking(true)}>
        {words.unlink}
      </Button>
      <Confirm
        open={unlinking}
        onOpenChange={setUnlinking}
        danger
        title={words.unlinkTitle(identity.label)}
        confirm={words.unlink}
        onConfirm={async () => {
          try {
            await api.unlinkIdentity(identity.id);
            client.setQueryData<Identity[]>(keys.identities, (list) =>
              list?.filter((entry) => entry.id !== identity.id),
            );
            void client.invalidateQueries({ queryKey: keys.me });
            toast.done(words.unlinked);
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {words.unlinkText}
      </Confirm>
    </li>
  );
}
