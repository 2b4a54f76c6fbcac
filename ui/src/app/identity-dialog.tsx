import { Fingerprint } from "lucide-react";
import { type FormEvent, useState } from "react";
import { createPortal } from "react-dom";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { useMe } from "@/api/queries";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { words } from "@/features/security/strings";
import { t } from "@/strings";
import { ByProvider } from "./by-provider";
import { identity } from "./identity";
import { useModal } from "./modal";

/** Asks for the password once more, or for a passkey or an account by which the member signs in. */
export default function IdentityDialog() {
  const asked = identity.use();
  const me = useMe().data;
  const hasPassword = me?.hasPassword ?? true;
  const linked = me?.linked ?? [];
  const dialog = useModal();
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const [recovery, setRecovery] = useState(false);
  // Whoever has a second factor shows it as well; a passkey is both.
  const factors = me?.secondFactors ?? [];
  const recovers = factors.includes("recoveryCode");
  const asks = recovers || factors.includes("totp");
  const recovering = recovers && (recovery || !factors.includes("totp"));

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!hasPassword) return;
    const field = (name: string) => event.currentTarget.elements.namedItem(name) as HTMLInputElement;
    const password = field("password");
    const code = asks ? field("code") : null;
    setBusy(true);
    setError(null);
    try {
      await api.confirm({
        password: password.value,
        ...(code === null ? {} : recovering ? { recoveryCode: code.value } : { code: code.value }),
      });
      asked?.settle(true);
    } catch (cause) {
      const failure = asApiError(cause);
      setError(failure);
      setBusy(false);
      const again = code !== null && failure.field("password") === undefined ? code : password;
      again.select();
      again.focus();
    }
  };
  const byPasskey = async () => {
    setBusy(true);
    setError(null);
    try {
      // Not before it is needed: few have one.
      const { showPasskey } = await import("@/lib/passkeys");
      await api.confirm({ credential: await showPasskey((await api.askToConfirm()).publicKey) });
      asked?.settle(true);
    } catch (cause) {
      if (!(cause instanceof DOMException)) setError(asApiError(cause));
      setBusy(false);
    }
  };

  const wrong = error?.field("password");
  const wrongCode = error?.field("code") ?? error?.field("recoveryCode");
  return createPortal(
    <dialog
      ref={dialog}
      aria-labelledby="identity-title"
      aria-describedby="identity-why"
      onCancel={(event) => {
        event.preventDefault();
        asked?.settle(false);
      }}
      className="m-auto w-[min(26rem,calc(100vw-2rem))] rounded-xl bg-raised p-0 text-ink shadow-pop outline-none backdrop:bg-scrim"
    >
      <form onSubmit={submit}>
        <div className="flex flex-col gap-4 px-5 pt-5 pb-4">
          <div>
            <h2 id="identity-title" className="font-semibold text-lg">
              {t.identity.title}
            </h2>
            <p id="identity-why" className="mt-1 text-muted text-sm">
              {hasPassword ? t.identity.why : t.identity.whyProvider}
            </p>
          </div>
          {hasPassword && (
            <>
              <input type="text" autoComplete="username" value={me?.email ?? ""} readOnly hidden />
              <Field label={t.identity.password} error={wrong}>
                <Input name="password" type="password" autoComplete="current-password" required autoFocus />
              </Field>
            </>
          )}
          {hasPassword && asks && (
            <Field
              label={recovering ? words.step.recoveryCode : words.confirm.code}
              error={wrongCode}
              action={
                recovers &&
                !recovering && (
                  <Button variant="quiet" size="sm" className="h-auto p-0" onClick={() => setRecovery(true)}>
                    {words.step.useRecovery}
                  </Button>
                )
              }
            >
              <Input
                name="code"
                autoComplete={recovering ? "off" : "one-time-code"}
                inputMode={recovering ? "text" : "numeric"}
                required
                maxLength={40}
                className="font-mono tracking-wider"
              />
            </Field>
          )}
          <FormError error={wrong === undefined && wrongCode === undefined ? error : null} />
          {!hasPassword && (linked.length > 0 || !factors.includes("passkey")) && (
            <ByProvider names={linked} onConfirmed={() => asked?.settle(true)} />
          )}
          {factors.includes("passkey") && (
            <Button onClick={() => void byPasskey()} disabled={busy}>
              <Fingerprint /> {words.confirm.passkey}
            </Button>
          )}
        </div>
        <div className="flex justify-end gap-2 border-line border-t px-5 py-3">
          <Button onClick={() => asked?.settle(false)}>{t.common.cancel}</Button>
          {hasPassword && (
            <Button type="submit" variant="primary" busy={busy}>
              {t.identity.confirm}
            </Button>
          )}
        </div>
      </form>
    </dialog>,
    document.body,
  );
}
