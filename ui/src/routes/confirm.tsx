import { useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { AuthPage } from "@/app/auth-page";
import { tellConfirmed } from "@/app/confirmed";
import { FormError } from "@/components/form-error";
import { Problem } from "@/features/sign-in/problem";
import { signIn } from "@/features/sign-in/strings";

/** `?provider=` goes there; `?done` and `?problem=` is what came of it. */
export default function ConfirmPage() {
  const { provider, done, problem } = useSearch({ from: "/confirm" });
  const [error, setError] = useState<ApiError | null>(null);

  useEffect(() => {
    if (!done) return;
    tellConfirmed();
    window.close();
  }, [done]);

  useEffect(() => {
    if (provider === undefined) return;
    let here = true;
    api.confirmByProvider(provider).then(
      ({ url }) => here && location.replace(url),
      (cause: unknown) => here && setError(asApiError(cause)),
    );
    return () => {
      here = false;
    };
  }, [provider]);

  if (done)
    return (
      <AuthPage title={signIn.confirmed} lead={signIn.confirmedLead}>
        {null}
      </AuthPage>
    );
  return (
    <AuthPage title={signIn.confirmTitle} lead={problem || error ? "" : signIn.confirmGoing}>
      <Problem code={problem} />
      <FormError error={error} />
      {(problem || error) && <p className="mt-4 text-muted text-sm">{signIn.confirmClose}</p>}
    </AuthPage>
  );
}
