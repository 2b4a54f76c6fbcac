import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { queries } from "@/api/queries";
import { AuthPage } from "@/app/auth-page";
import { RoutePending } from "@/app/route-states";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { JoinForm } from "@/features/team/join-form";
import { join } from "@/features/team/join-strings";
import { t } from "@/strings";

/** `/join/$code` accepts an invitation; `/join` signs up where that is open. */
export default function JoinPage() {
  const { code } = useParams({ strict: false });
  return code === undefined ? <SignUpPage /> : <AcceptPage code={code} />;
}

function AcceptPage({ code }: { code: string }) {
  const invitation = useQuery({
    queryKey: ["auth", "invitation", code],
    queryFn: () => api.invitationCard(code),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (invitation.isPending) return <RoutePending />;
  if (invitation.isError) {
    const error = asApiError(invitation.error);
    return error.code === "bad-invitation" ? (
      <AuthPage title={join.bad} lead={join.badHelp}>
        <SignInLink />
      </AuthPage>
    ) : (
      <AuthPage title={t.common.wentWrong} lead={error.detail}>
        <FormError error={error} />
        <Button className="mt-4" onClick={() => invitation.refetch()}>
          {t.common.retry}
        </Button>
      </AuthPage>
    );
  }
  const { email, role } = invitation.data;
  return (
    <AuthPage title={join.title} lead={join.lead(t.role[role].label.toLowerCase())}>
      <JoinForm invitation={{ code, email }} />
      <SignInLink ask />
    </AuthPage>
  );
}

function SignUpPage() {
  const status = useQuery({ ...queries.authStatus(), staleTime: 0 });
  const [mailed, setMailed] = useState<string | null>(null);
  if (status.isPending) return <RoutePending />;
  if (mailed !== null)
    return (
      <AuthPage title={join.mailed} lead={join.mailedLead(mailed)}>
        <SignInLink />
      </AuthPage>
    );
  return status.data?.signUp === "open" ? (
    <AuthPage title={join.openTitle} lead={join.openLead}>
      <JoinForm onMailed={setMailed} />
      <SignInLink ask />
    </AuthPage>
  ) : (
    <AuthPage title={join.closed} lead={join.closedHelp}>
      <SignInLink />
    </AuthPage>
  );
}

function SignInLink({ ask }: { ask?: boolean }) {
  return ask ? (
    <p className="mt-5 text-center text-muted text-sm">
      {join.haveAccount}{" "}
      <Link to="/login" className="font-medium text-accent-text underline-offset-2 hover:underline">
        {join.signIn}
      </Link>
    </p>
  ) : (
    <Button variant="primary" size="lg" className="w-full" render={<Link to="/login" />}>
      {join.signIn}
    </Button>
  );
}
