import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { AuthPage } from "@/app/auth-page";
import { enter } from "@/app/session";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { join, welcome } from "@/features/team/join-strings";

/** Finishes a sign-up by the mailed link, with the password that was chosen. */
export default function WelcomePage() {
  const { code } = useParams({ from: "/welcome/$code" });
  const navigate = useNavigate();
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const password = String(new FormData(event.currentTarget).get("password"));
    setBusy(true);
    setError(null);
    try {
      enter(await api.finishSignUp(code, password));
      await navigate({ to: "/", replace: true });
    } catch (cause) {
      setError(asApiError(cause));
    } finally {
      setBusy(false);
    }
  };

  if (error?.code === "bad-sign-up-link")
    return (
      <AuthPage title={welcome.bad} lead={welcome.badHelp}>
        <Button variant="primary" size="lg" className="w-full" render={<Link to="/join" />}>
          {welcome.again}
        </Button>
      </AuthPage>
    );
  return (
    <AuthPage title={welcome.title} lead={welcome.lead}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={join.password} help={welcome.passwordHelp} error={error?.field("password")}>
          <Input name="password" type="password" autoComplete="current-password" required autoFocus />
        </Field>
        <FormError error={error !== null && error.fields.length === 0 ? error : null} />
        <Button type="submit" variant="primary" size="lg" busy={busy}>
          {join.submit}
        </Button>
      </form>
    </AuthPage>
  );
}
