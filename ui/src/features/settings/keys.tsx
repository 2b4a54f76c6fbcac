import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CircleAlert, CircleCheckBig, KeyRound } from "lucide-react";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Credential, Credentials } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { Time } from "@/lib/time";

/** The keys with which a member's runs call a provider of models. */
export function ProviderKeys() {
  const credentials = useQuery(queries.credentials());
  return (
    <Section
      id="keys"
      title="Provider keys"
      lead="Your runs use your key. It is kept sealed, is never shown again, and no agent can reach it."
    >
      {credentials.isPending ? (
        <Skeleton className="h-28 rounded-xl" />
      ) : credentials.isError ? (
        <ErrorState error={credentials.error} onRetry={() => credentials.refetch()} className="py-6" />
      ) : (
        <Anthropic
          credential={credentials.data.items.find((entry) => entry.provider === "anthropic") ?? null}
          team={credentials.data.teamKeys.includes("anthropic")}
        />
      )}
    </Section>
  );
}

const PROVIDER = "anthropic";

function Anthropic({ credential, team }: { credential: Credential | null; team: boolean }) {
  const client = useQueryClient();
  const [editing, setEditing] = useState(false);
  const [removing, setRemoving] = useState(false);
  const test = useMutation({ mutationFn: () => api.testCredential(PROVIDER) });
  const put = (next: Credential | null) => {
    client.setQueryData<Credentials>(keys.credentials, (before) =>
      before === undefined
        ? before
        : {
            ...before,
            items: [...before.items.filter((entry) => entry.provider !== PROVIDER), ...(next ? [next] : [])],
          },
    );
    void client.invalidateQueries({ queryKey: keys.models });
    test.reset();
  };
  return (
    <div className="rounded-xl border border-line bg-surface p-4 shadow-card">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <KeyRound aria-hidden className="size-5 text-faint" />
        <div className="min-w-0 flex-1">
          <p className="font-medium text-sm">Anthropic</p>
          {credential ? (
            <p className="text-faint text-xs">
              <code>•••• {credential.hint}</code>, put in place <Time at={credential.updatedAt} />
              {credential.lastUsedAt && (
                <>
                  , last used <Time at={credential.lastUsedAt} />
                </>
              )}
            </p>
          ) : (
            <p className="text-faint text-xs">
              {team ? "Your runs use the team's key." : "No key: only the simulated model can be used."}
            </p>
          )}
        </div>
        {team && <Badge tone="accent">Team key as fallback</Badge>}
        {credential && !editing && (
          <div className="flex gap-1.5">
            <Button size="sm" busy={test.isPending} onClick={() => test.mutate()}>
              Test
            </Button>
            <Button size="sm" onClick={() => setEditing(true)}>
              Replace
            </Button>
            <Button
              size="sm"
              variant="ghost"
              className="text-red hover:text-red"
              onClick={() => setRemoving(true)}
            >
              Delete
            </Button>
          </div>
        )}
      </div>
      {credential?.baseUrl && (
        <p className="mt-2 break-all text-faint text-xs">
          At <code>{credential.baseUrl}</code>
        </p>
      )}
      <div aria-live="polite">
        {test.data && (
          <p className={`mt-3 flex gap-1.5 text-sm ${test.data.ok ? "text-green" : "text-red"}`}>
            {test.data.ok ? (
              <CircleCheckBig aria-hidden className="mt-0.5 size-4 shrink-0" />
            ) : (
              <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
            )}
            {test.data.message}
          </p>
        )}
        {test.isError && (
          <div className="mt-3">
            <FormError error={asApiError(test.error)} />
          </div>
        )}
      </div>
      {(credential === null || editing) && (
        <KeyForm
          baseUrl={credential?.baseUrl ?? null}
          onCancel={credential ? () => setEditing(false) : null}
          onSaved={(saved) => {
            put(saved);
            setEditing(false);
            toast.done("Key saved");
          }}
        />
      )}
      <Confirm
        open={removing}
        onOpenChange={setRemoving}
        title="Delete this key?"
        confirm="Delete"
        danger
        onConfirm={async () => {
          try {
            await api.deleteCredential(PROVIDER);
            put(null);
          } catch (cause) {
            toast.error(undefined, asApiError(cause));
            throw cause;
          }
        }}
      >
        {team
          ? "Your runs use the team's key from then on."
          : "Your runs cannot call Anthropic until you put another one in place."}
      </Confirm>
    </div>
  );
}

function KeyForm({
  baseUrl: before,
  onCancel,
  onSaved,
}: {
  baseUrl: string | null;
  onCancel: (() => void) | null;
  onSaved: (credential: Credential) => void;
}) {
  const [key, setKey] = useState("");
  const [elsewhere, setElsewhere] = useState(before !== null);
  const [baseUrl, setBaseUrl] = useState(before ?? "");
  const save = useMutation({
    mutationFn: () =>
      api.putCredential(PROVIDER, {
        key: key.trim(),
        ...(elsewhere && baseUrl.trim() !== "" ? { baseUrl: baseUrl.trim() } : {}),
      }),
    onSuccess: onSaved,
  });
  const error = save.error === null ? null : asApiError(save.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit} className="mt-4 flex flex-col gap-3 border-line border-t pt-4">
      <Field label="Key" error={error?.field("key")}>
        <Input
          type="password"
          value={key}
          onChange={(event) => setKey(event.target.value)}
          placeholder="sk-ant-…"
          autoComplete="off"
          spellCheck={false}
          required
        />
      </Field>
      {elsewhere ? (
        <Field
          label="Base URL"
          optional
          help="Where the provider is, if not at its usual address."
          error={error?.field("baseUrl")}
        >
          <Input
            type="url"
            value={baseUrl}
            onChange={(event) => setBaseUrl(event.target.value)}
            placeholder="https://api.anthropic.com"
          />
        </Field>
      ) : (
        <button
          type="button"
          onClick={() => setElsewhere(true)}
          className="self-start rounded text-accent-text text-xs underline-offset-2 hover:underline"
        >
          The provider is at another address
        </button>
      )}
      <FormError error={error && error.fields.length === 0 ? error : null} />
      <div className="flex gap-2">
        <Button type="submit" variant="primary" busy={save.isPending} disabled={key.trim() === ""}>
          Save key
        </Button>
        {onCancel && <Button onClick={onCancel}>Cancel</Button>}
      </div>
    </form>
  );
}
