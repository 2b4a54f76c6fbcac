import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { queries } from "@/api/queries";
import { enter } from "@/app/session";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Field, Input } from "@/components/ui/input";
import { PasswordInput } from "@/components/ui/password";
import { ProviderButtons } from "@/features/sign-in/provider-buttons";
import { join } from "./join-strings";

/** Makes an account, with an invitation or where sign-up is open, and goes on into the page. */
export function JoinForm({
  invitation,
  onMailed,
}: {
  invitation?: { code: string; email: string };
  /** The address is yet to be proved: a mail says how to go on. */
  onMailed?: (email: string) => void;
}) {
  const navigate = useNavigate();
  const providers = useQuery(queries.authStatus()).data?.providers;
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
        ...(invitation === undefined ? {} : { invitation: invitation.code }),
      });
      if (me === null) return onMailed?.(text("email").trim());
      enter(me);
      await navigate({ to: "/", replace: true });
    } catch (cause) {
      setError(asApiError(cause));
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Field label={join.name} error={error?.field("name")}>
          <Input name="name" autoComplete="name" required autoFocus maxLength={100} />
        </Field>
        <Field
          label={join.email}
          error={error?.field("email")}
          {...(invitation === undefined ? {} : { help: join.emailHelp })}
        >
          <Input
            name="email"
            type="email"
            autoComplete="username"
            required
            {...(invitation === undefined ? {} : { value: invitation.email, readOnly: true })}
          />
        </Field>
        <Field label={join.password} help={join.passwordHelp} error={error?.field("password")}>
          <PasswordInput name="password" autoComplete="new-password" required minLength={12} />
        </Field>
        <FormError error={error !== null && error.fields.length === 0 ? error : null} />
        <Button type="submit" variant="primary" size="lg" busy={busy}>
          {join.submit}
        </Button>
      </form>
      <ProviderButtons
        providers={providers}
        {...(invitation === undefined ? {} : { invitation: invitation.code })}
      />
    </>
  );
}
