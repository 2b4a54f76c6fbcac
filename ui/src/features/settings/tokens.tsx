import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { KeySquare, Plus } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { ApiToken } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Time, useNow } from "@/lib/time";
import { scope, security } from "./strings";
import { TokenDialog } from "./token-dialog";

const words = security.tokens;

/** The member's personal access tokens. */
export function Tokens() {
  const tokens = useQuery(queries.tokens());
  // Another page may ask for one: the address says for what.
  const asked = useSearch({ from: "/frame/settings" }).token;
  const navigate = useNavigate();
  const [making, setMaking] = useState(asked !== undefined);
  const change = (next: boolean) => {
    setMaking(next);
    if (!next && asked !== undefined)
      void navigate({ to: "/settings", search: {}, hash: "tokens", replace: true });
  };
  return (
    <Section id="tokens" title={words.title} lead={words.lead}>
      <div className="flex flex-col items-start gap-3">
        {tokens.isError ? (
          <ErrorState error={tokens.error} onRetry={() => tokens.refetch()} className="py-6" />
        ) : tokens.data === undefined ? (
          <Skeleton className="h-15 w-full rounded-xl" />
        ) : tokens.data.length === 0 ? (
          <p className="text-muted text-sm">{words.none}</p>
        ) : (
          <ul className="w-full divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
            {tokens.data.map((token) => (
              <Row key={token.id} token={token} />
            ))}
          </ul>
        )}
        <Button onClick={() => setMaking(true)}>
          <Plus /> {words.make}
        </Button>
      </div>
      <TokenDialog open={making} onOpenChange={change} scope={asked} />
    </Section>
  );
}

function Row({ token }: { token: ApiToken }) {
  const client = useQueryClient();
  const now = useNow();
  const [revoking, setRevoking] = useState(false);
  const ended = Date.parse(token.expiresAt) <= now;
  return (
    <li className="flex items-center gap-3 px-4 py-3 text-sm">
      <KeySquare aria-hidden className="size-5 shrink-0 text-faint max-sm:hidden" />
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <span className="min-w-0 truncate font-medium">{token.name}</span>
          {token.scopes.map((name) => (
            <Badge key={name} title={scope[name].may}>
              {scope[name].label}
            </Badge>
          ))}
        </p>
        <p className="text-faint text-xs">
          <span className={ended ? "text-red" : undefined}>
            {ended ? words.ended : words.endsAt} <Time at={token.expiresAt} />
          </span>{" "}
          ·{" "}
          {token.lastUsedAt ? (
            <>
              {words.used} <Time at={token.lastUsedAt} />
            </>
          ) : (
            words.unused
          )}
        </p>
      </div>
      <Button size="sm" aria-label={words.revokeOf(token.name)} onClick={() => setRevoking(true)}>
        {words.revoke}
      </Button>
      <Confirm
        open={revoking}
        onOpenChange={setRevoking}
        danger
        title={words.revokeTitle(token.name)}
        confirm={words.revoke}
        onConfirm={async () => {
          try {
            await api.revokeToken(token.id);
            client.setQueryData<ApiToken[]>(keys.tokens, (list) =>
              list?.filter((entry) => entry.id !== token.id),
            );
            toast.done(words.revoked);
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {words.revokeText}
      </Confirm>
    </li>
  );
}
