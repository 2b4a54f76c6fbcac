import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { AuthPage } from "@/app/auth-page";
import { queryClient } from "@/app/query-client";
import { enter } from "@/app/session";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { PasswordInput } from "@/components/ui/password";

export default function SetupPage() {
  const navigate = useNavigate();
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const text = (name: string) => String(data.get(name) ?? "");
    setBusy(true);
    setError(null);
    try {
      const me = await api.register({
        name: text("name"),
        email: text("email"),
        password: text("password"),
      });
      if (me !== null) enter(me);
      await navigate({ to: "/projects", replace: true });
    } catch (cause) {
      const refusal = asApiError(cause);
      if (refusal.code === "already-set-up") {
        queryClient.removeQueries({ queryKey: keys.authStatus });
        await navigate({ to: "/login", replace: true });
      } else setError(refusal);
    } finally {
      setBusy(false);
    }
  };

  const loose = error !== null && error.fields.length === 0;
  return (
    <AuthPage
      title="Set up Guildhall"
      lead="Make the first account. It owns this server; everyone else joins by invitation."
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label="Your name" error={error?.field("name")}>
          <Input name="name" autoComplete="name" required autoFocus maxLength={100} />
        </Field>
        <Field label="E-mail" error={error?.field("email")}>
          <Input name="email" type="email" autoComplete="username" required />
        </Field>
        <Field
          label="Password"
          help="At least 12 characters. A few unrelated words do well."
          error={error?.field("password")}
        >
          <PasswordInput name="password" autoComplete="new-password" required minLength={12} />
        </Field>
        <FormError error={loose ? error : null} />
        <Button type="submit" variant="primary" size="lg" busy={busy}>
          Create account
        </Button>
      </form>
    </AuthPage>
  );
}
