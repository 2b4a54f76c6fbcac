import { Fingerprint } from "lucide-react";
import { type FormEvent, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import type { Me, SecondFactor } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { declined, showPasskey } from "@/lib/passkeys";
import { factorCalls } from "./calls";
import { words } from "./strings";

const say = words.step;
const ways: Record<SecondFactor, string> = {
  totp: say.useCode,
  passkey: say.usePasskey,
  recoveryCode: say.useRecovery,
};

/** The second step of a sign-in: one field, or a passkey. */
export function SecondStep({
  kinds,
  onDone,
  onBack,
}: {
  kinds: SecondFactor[];
  onDone: (me: Me) => Promise<void>;
  onBack: () => void;
}) {
  const [kind, setKind] = useState<SecondFactor>(kinds[0] ?? "recoveryCode");
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const trying = async (work: () => Promise<Me>) => {
    setBusy(true);
    setError(null);
    try {
      await onDone(await work());
    } catch (cause) {
      if (!declined(cause)) setError(asApiError(cause));
      setBusy(false);
    }
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const typed = String(new FormData(event.currentTarget).get("code") ?? "");
    void trying(() =>
      factorCalls.passSecondStep(kind === "totp" ? { code: typed } : { recoveryCode: typed }),
    );
  };
  const passkey = () =>
    void trying(async () =>
      factorCalls.signInByPasskey(await showPasskey((await factorCalls.askPasskey(true)).publicKey)),
    );
  const over = error?.code === "sign-in-over";
  const wrong = error?.field("code") ?? error?.field("recoveryCode");
  return (
    <div className="flex flex-col gap-4">
      <p className="text-muted text-sm">{say.lead[kind]}</p>
      {kind === "passkey" ? (
        <Button variant="primary" size="lg" busy={busy} disabled={over} onClick={passkey} autoFocus>
          <Fingerprint /> {say.usePasskey}
        </Button>
      ) : (
        <form key={kind} onSubmit={submit} className="flex flex-col gap-4">
          <Field label={kind === "totp" ? say.code : say.recoveryCode} error={wrong}>
            <Input
              name="code"
              autoComplete={kind === "totp" ? "one-time-code" : "off"}
              inputMode={kind === "totp" ? "numeric" : "text"}
              autoCapitalize="none"
              spellCheck={false}
              maxLength={40}
              required
              autoFocus
              className="font-mono tracking-wider"
            />
          </Field>
          <Button type="submit" variant="primary" size="lg" busy={busy} disabled={over}>
            {say.go}
          </Button>
        </form>
      )}
      <FormError error={wrong === undefined ? error : null} />
      <div className="flex flex-col items-center gap-2">
        {kinds
          .filter((other) => other !== kind)
          .map((other) => (
            <Button
              key={other}
              variant="quiet"
              onClick={() => {
                setError(null);
                setKind(other);
              }}
            >
              {ways[other]}
            </Button>
          ))}
        <Button variant="quiet" onClick={onBack}>
          {say.back}
        </Button>
      </div>
      <p className="text-center text-faint text-xs">{say.lost}</p>
    </div>
  );
}
