import { useMutation, useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { useMe } from "@/api/queries";
import type { Asking, Consent, Scope } from "@/api/types";
import { AuthPage } from "@/app/auth-page";
import { identity } from "@/app/identity";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { consentWords as words } from "@/features/connect/strings";
import { scope as scopeWords } from "@/features/settings/strings";

const IdentityDialog = lazy(() => import("@/app/identity-dialog"));

/** What the program wrote into the address that it led here with. */
function askingOf(query: string): Asking {
  const said = new URLSearchParams(query);
  const word = (name: string) => said.get(name) ?? "";
  const maybe = (name: "scope" | "state" | "resource") => {
    const value = said.get(name);
    return value === null ? {} : { [name]: value };
  };
  return {
    clientId: word("client_id"),
    redirectUri: word("redirect_uri"),
    responseType: word("response_type"),
    codeChallenge: word("code_challenge"),
    codeChallengeMethod: word("code_challenge_method"),
    ...maybe("scope"),
    ...maybe("state"),
    ...maybe("resource"),
  };
}

/** Asks a member whether a program may act as them: who asks, for what, and where the answer goes. */
export default function ConsentPage() {
  const { ask = "" } = useSearch({ from: "/oauth/consent" });
  const asked = identity.use() !== null;
  const asking = askingOf(ask);
  const consent = useQuery({ queryKey: ["consent", ask], queryFn: () => api.consent(asking), retry: false });
  if (consent.isError)
    return (
      <AuthPage title={words.brokenTitle} lead={words.brokenLead}>
        <FormError error={asApiError(consent.error)} />
      </AuthPage>
    );
  if (consent.data === undefined)
    return (
      <AuthPage title={words.title("…")} lead="">
        <Skeleton className="h-40 rounded-xl" />
      </AuthPage>
    );
  if (consent.data.wrong !== null)
    return (
      <AuthPage title={words.brokenTitle} lead={words.wrongLead(consent.data.name)}>
        <Wrong consent={consent.data} why={consent.data.wrong} />
      </AuthPage>
    );
  return (
    <AuthPage title={words.title(consent.data.name)} lead={words.lead}>
      <Question asking={asking} consent={consent.data} />
      <Suspense>{asked && <IdentityDialog />}</Suspense>
    </AuthPage>
  );
}

/** What is wrong with a question, and the way back to whoever asked it: nobody is led there unasked. */
function Wrong({ consent, why }: { consent: Consent; why: string }) {
  return (
    <div className="flex flex-col gap-4 text-sm">
      <p className="wrap-anywhere">{words.wrong(why)}</p>
      <p>{words.mend}</p>
      <p className="text-muted text-xs">
        {words.unchecked} <span className="wrap-anywhere">{words.leads(consent.leadsTo)}</span>
      </p>
      <Button size="lg" onClick={() => location.assign(consent.denied)}>
        {words.tell}
      </Button>
    </div>
  );
}

function Question({ asking, consent }: { asking: Asking; consent: Consent }) {
  const me = useMe().data;
  const [taken, setTaken] = useState<ReadonlySet<Scope>>(new Set());
  const scopes = consent.scopes.filter((name) => !taken.has(name));
  const allow = useMutation({
    mutationFn: () => api.allowClient(asking, scopes),
    onSuccess: ({ to }) => location.assign(to),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!allow.isPending) allow.mutate();
      }}
      className="flex flex-col gap-4 text-sm"
    >
      {me !== undefined && <p>{words.as(me.name, me.email)}</p>}
      {consent.scopes.length === 0 ? (
        <p>{words.noScope}</p>
      ) : (
        <fieldset className="flex flex-col gap-2">
          <legend className="mb-1.5 font-medium">{words.may}</legend>
          {consent.scopes.map((name) => (
            <label key={name} className="flex items-start gap-2.5">
              <input
                type="checkbox"
                checked={!taken.has(name)}
                onChange={(event) => {
                  const next = new Set(taken);
                  if (event.target.checked) next.delete(name);
                  else next.add(name);
                  setTaken(next);
                }}
                className="mt-0.5 size-4 shrink-0 accent-(--accent)"
              />
              <span>
                <span className="font-medium">{scopeWords[name].label}</span>
                <span className="block text-faint text-xs">{scopeWords[name].may}</span>
              </span>
            </label>
          ))}
        </fieldset>
      )}
      <p className="text-muted text-xs">
        {words.says} <span className="wrap-anywhere">{words.leads(consent.leadsTo)}</span>
      </p>
      <FormError error={allow.error && asApiError(allow.error)} />
      {allow.isSuccess && <p role="status">{words.going}</p>}
      <div className="flex flex-wrap gap-2">
        <Button
          type="submit"
          variant="primary"
          size="lg"
          className="flex-1"
          busy={allow.isPending}
          disabled={scopes.length === 0 || allow.isSuccess}
        >
          {words.allow}
        </Button>
        <Button size="lg" className="flex-1" onClick={() => location.assign(consent.denied)}>
          {words.deny}
        </Button>
      </div>
    </form>
  );
}
