import { useState } from "react";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import type { Provider } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { signIn } from "./strings";

/** A button for each provider by which one can sign in, below the form. */
export function ProviderButtons({
  providers,
  to,
  invitation,
  elsewhere = false,
}: {
  providers: Provider[] | undefined;
  /** Where to go then. */
  to?: string;
  /** The code of an invitation, which must not stand in an address. */
  invitation?: string;
  /** In a tab of its own, as this page is to stay. */
  elsewhere?: boolean;
}) {
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  if (providers === undefined || providers.length === 0) return null;
  const goal = to === undefined || to === "/" ? "" : `?${new URLSearchParams({ to })}`;
  const join = async (name: string, code: string) => {
    setBusy(name);
    setError(null);
    try {
      const { url } = await api.beginSignIn(name, { invitation: code });
      location.assign(url);
    } catch (cause) {
      setError(asApiError(cause));
      setBusy(null);
    }
  };
  return (
    <div className="mt-5 flex flex-col gap-2.5">
      <p className="flex items-center gap-3 text-faint text-xs before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
        {signIn.or}
      </p>
      {providers.map(({ name, label, url }) =>
        invitation === undefined ? (
          <Button
            key={name}
            size="lg"
            className="w-full"
            render={
              <a href={url + goal} {...(elsewhere ? { target: "_blank" } : {})}>
                {signIn.with(label)}
              </a>
            }
          >
            {signIn.with(label)}
          </Button>
        ) : (
          <Button
            key={name}
            size="lg"
            className="w-full"
            busy={busy === name}
            onClick={() => void join(name, invitation)}
          >
            {signIn.with(label)}
          </Button>
        ),
      )}
      <FormError error={error} />
    </div>
  );
}
