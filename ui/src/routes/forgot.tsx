import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { queries } from "@/api/queries";
import { AuthPage } from "@/app/auth-page";
import { RoutePending } from "@/app/route-states";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { forgot, join } from "@/features/team/join-strings";

/** Asks for a link to set a new password. Whether there is such an account, nobody is told. */
export default function ForgotPage() {
  const status = useQuery({ ...queries.authStatus(), staleTime: 0 });
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const [sent, setSent] = useState<string | null>(null);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const email = String(new FormData(event.currentTarget).get("email")).trim();
    setBusy(true);
    setError(null);
    try {
      await api.forgotPassword(email);
      setSent(email);
    } catch (cause) {
      setError(asApiError(cause));
    } finally {
      setBusy(false);
    }
  };

  const signIn = (
    <Button size="lg" className="w-full" render={<Link to="/login" />}>
      {forgot.back}
    </Button>
  );
  if (status.isPending) return <RoutePending />;
  if (status.data?.mail === false)
    return (
      <AuthPage title={forgot.title} lead={forgot.off}>
        {signIn}
      </AuthPage>
    );
  if (sent !== null)
    return (
      <AuthPage title={join.mailed} lead={forgot.sent(sent)}>
        {signIn}
      </AuthPage>
    );
  return (
    <AuthPage title={forgot.title} lead={forgot.lead}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={join.email} error={error?.field("email")}>
          <Input name="email" type="email" autoComplete="username" required autoFocus />
        </Field>
        <FormError error={error !== null && error.fields.length === 0 ? error : null} />
        <Button type="submit" variant="primary" size="lg" busy={busy}>
          {forgot.submit}
        </Button>
        {signIn}
      </form>
    </AuthPage>
  );
}
