import { Link, useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { ApiError, asApiError } from "@/api/error";
import { AuthPage } from "@/app/auth-page";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { join, reset } from "@/features/team/join-strings";

/** Sets a new password by a link that an admin made. */
export default function ResetPage() {
  const { code } = useParams({ from: "/reset/$code" });
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const password = String(data.get("password"));
    if (password !== data.get("again")) {
      const fields = [{ field: "again", message: reset.differ }];
      setError(new ApiError({ status: 0, code: "page", detail: reset.differ, fields }));
      return;
    }
    setBusy(true);
    setError(null);
    try {
      await api.resetPassword(code, password);
      setDone(true);
    } catch (cause) {
      setError(asApiError(cause));
    } finally {
      setBusy(false);
    }
  };

  const signIn = (
    <Button variant="primary" size="lg" className="w-full" render={<Link to="/login" />}>
      {join.signIn}
    </Button>
  );
  if (done)
    return (
      <AuthPage title={reset.done} lead={reset.doneLead}>
        {signIn}
      </AuthPage>
    );
  if (error?.code === "bad-reset-link")
    return (
      <AuthPage title={reset.bad} lead={reset.badHelp}>
        {signIn}
      </AuthPage>
    );
  return (
    <AuthPage title={reset.title} lead={reset.lead}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={reset.password} help={join.passwordHelp} error={error?.field("password")}>
          <Input
            name="password"
            type="password"
            autoComplete="new-password"
            required
            minLength={12}
            autoFocus
          />
        </Field>
        <Field label={reset.again} error={error?.field("again")}>
          <Input name="again" type="password" autoComplete="new-password" required />
        </Field>
        <FormError error={error !== null && error.fields.length === 0 ? error : null} />
        <Button type="submit" variant="primary" size="lg" busy={busy}>
          {reset.submit}
        </Button>
      </form>
    </AuthPage>
  );
}
