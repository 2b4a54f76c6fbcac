import { useNavigate, useSearch } from "@tanstack/react-router";
import { AuthPage } from "@/app/auth-page";
import { enter, safeNext } from "@/app/session";
import { SignInForm } from "@/features/sign-in/form";

export default function LoginPage() {
  const navigate = useNavigate();
  const { next, step, problem } = useSearch({ from: "/login" });
  return (
    <SignInForm
      around={(title, lead, form) => (
        <AuthPage title={title} lead={lead}>
          {form}
        </AuthPage>
      )}
      onDone={async (me) => {
        enter(me);
        await navigate({ href: safeNext(next), replace: true });
      }}
      next={safeNext(next)}
      step={step}
      problem={problem}
    />
  );
}
