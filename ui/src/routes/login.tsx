import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { queries } from "@/api/queries";
import { AuthPage } from "@/app/auth-page";
import { enter, safeNext } from "@/app/session";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { join } from "@/features/team/join-strings";

export default function LoginPage() {
  const navigate = useNavigate();
  const { next } = useSearch({ from: "/login" });
  const [error, setError] = useState<ApiError | null>(null);
  const signUp = useQuery(queries.authStatus()).data?.signUp;
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    setBusy(true);
    setError(null);
    try {
      enter(await api.login({ email: String(data.get("email")), password: String(data.get("password")) }));
      await navigate({ href: safeNext(next), replace: true });
    } catch (cause) {
      setError(asApiError(cause));
    } finally {
      setBusy(false);
    }
  };

  return (
    <AuthPage title="Sign in" lead="Go on where your team and its agents are.">
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label="E-mail">
          <Input name="email" type="email" autoComplete="username" required autoFocus />
        </Field>
        <Field label="Password">
          <Input name="password" type="password" autoComplete="current-password" required />
        </Field>
        <FormError error={error} />
        <Button type="submit" variant="primary" size="lg" busy={busy}>
          Sign in
        </Button>
      </form>
      <p className="mt-5 text-center text-muted text-sm">
        <Link to="/forgot" className="font-medium text-accent-text underline-offset-2 hover:underline">
          {join.forgot}
        </Link>
      </p>
      {signUp === "open" && (
        <p className="mt-2 text-center text-muted text-sm">
          {join.newHere}{" "}
          <Link to="/join" className="font-medium text-accent-text underline-offset-2 hover:underline">
            {join.create}
          </Link>
        </p>
      )}
    </AuthPage>
  );
}
