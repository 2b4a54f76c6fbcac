import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Fingerprint } from "lucide-react";
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { queries } from "@/api/queries";
import type { Me, SecondFactor } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { PasswordInput } from "@/components/ui/password";
import { factorCalls } from "@/features/security/calls";
import { SecondStep } from "@/features/security/second-step";
import { words } from "@/features/security/strings";
import { join } from "@/features/team/join-strings";
import { declined, fillsInPasskeys, knowsPasskeys, showPasskey } from "@/lib/passkeys";
import { Problem } from "./problem";
import { ProviderButtons } from "./provider-buttons";
import { signIn } from "./strings";

/** Asks who somebody is, in one step or two. What is around it the caller says. */
export function SignInForm({
  around,
  onDone: done,
  next = "/",
  step,
  problem,
  email,
}: {
  around: (title: string, lead: string, form: ReactNode) => ReactNode;
  onDone: (me: Me) => Promise<void>;
  /** Where a provider leads back to. */
  next?: string | undefined;
  /** Whether the first step was taken elsewhere. */
  step?: boolean | undefined;
  /** Why somebody came back from a provider without what they went for. */
  problem?: string | undefined;
  /** Who is asked to sign in again, over the page that they were on: nothing leads away from there. */
  email?: string | undefined;
}) {
  const again = email !== undefined;
  const [error, setError] = useState<ApiError | null>(null);
  const status = useQuery(queries.authStatus()).data;
  const [busy, setBusy] = useState(false);
  const [kinds, setKinds] = useState<SecondFactor[] | null>(null);
  const password = useRef<HTMLInputElement>(null);
  const byPasskey = (status?.signIn.includes("passkey") ?? false) && knowsPasskeys();

  // What the effect below calls is always that of the latest view.
  const latest = useRef(done);
  latest.current = done;

  // The browser offers passkeys among what it fills into the first field.
  const quiet = useRef<AbortController | null>(null);
  const offering = byPasskey && kinds === null;
  useEffect(() => {
    if (!offering) return;
    const aborter = new AbortController();
    quiet.current = aborter;
    const offer = async () => {
      if (!(await fillsInPasskeys()) || aborter.signal.aborted) return;
      const { publicKey } = await factorCalls.askPasskey(false);
      if (aborter.signal.aborted) return;
      const credential = await showPasskey(publicKey, aborter.signal);
      await latest.current(await factorCalls.signInByPasskey(credential));
    };
    offer().catch((cause) => {
      // Nobody asked for it: that it cannot be offered is told when somebody does.
      if (!declined(cause) && !aborter.signal.aborted) setError(asApiError(cause));
    });
    return () => aborter.abort();
  }, [offering]);

  useEffect(() => {
    // Whatever was begun may have ended since: then one begins here.
    if (step)
      factorCalls.secondStep().then(
        (answer) => setKinds(answer.kinds),
        () => {},
      );
  }, [step]);

  const trying = async (work: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await work();
    } catch (cause) {
      if (!declined(cause)) setError(asApiError(cause));
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    void trying(async () => {
      const answer = await api
        .login({ email: String(data.get("email")), password: String(data.get("password")) })
        .catch((cause) => {
          // It is the password that is typed once more, whatever had the focus.
          password.current?.select();
          throw cause;
        });
      if ("kinds" in answer) setKinds(answer.kinds);
      else await done(answer);
    });
  };
  const passkey = () =>
    void trying(async () => {
      quiet.current?.abort();
      const { publicKey } = await factorCalls.askPasskey(false);
      await done(await factorCalls.signInByPasskey(await showPasskey(publicKey)));
    });

  if (kinds !== null)
    return around(
      words.step.title,
      "",
      <SecondStep kinds={kinds} onDone={done} onBack={() => setKinds(null)} />,
    );
  return around(
    again ? signIn.againTitle : "Sign in",
    again ? signIn.againLead : "Go on where your team and its agents are.",
    <>
      <Problem code={problem} className="mb-4" />
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label="E-mail">
          <Input
            name="email"
            type="email"
            autoComplete={byPasskey ? "username webauthn" : "username"}
            required
            defaultValue={email}
            autoFocus={!again}
          />
        </Field>
        <Field label="Password">
          <PasswordInput
            ref={password}
            name="password"
            autoComplete="current-password"
            required
            autoFocus={again}
          />
        </Field>
        <FormError error={error} />
        <Button type="submit" variant="primary" size="lg" busy={busy}>
          Sign in
        </Button>
        {byPasskey && (
          <Button size="lg" disabled={busy} onClick={passkey}>
            <Fingerprint /> {words.signIn.passkey}
          </Button>
        )}
      </form>
      <ProviderButtons providers={status?.providers} to={next} elsewhere={again} />
      {!again && (
        <>
          <p className="mt-5 text-center text-muted text-sm">
            <Link to="/forgot" className="font-medium text-accent-text underline-offset-2 hover:underline">
              {join.forgot}
            </Link>
          </p>
          {status?.signUp === "open" && (
            <p className="mt-2 text-center text-muted text-sm">
              {join.newHere}{" "}
              <Link to="/join" className="font-medium text-accent-text underline-offset-2 hover:underline">
                {join.create}
              </Link>
            </p>
          )}
        </>
      )}
    </>,
  );
}
