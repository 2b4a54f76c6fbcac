import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { AuthPage } from "@/app/auth-page";
import { identity } from "@/app/identity";
import { queryClient } from "@/app/query-client";
import { signOut } from "@/app/session";
import { Button } from "@/components/ui/button";
import { Factors } from "@/features/security/factors";
import { words } from "@/features/security/strings";
import { t } from "@/strings";

const IdentityDialog = lazy(() => import("@/app/identity-dialog"));

/** Where whoever lacks the second factor that the team asks for sets one up. */
export default function SecondFactorPage() {
  const navigate = useNavigate();
  const asked = identity.use() !== null;
  return (
    <AuthPage title={words.needed.title} lead={words.needed.lead}>
      <div className="flex flex-col gap-5">
        <Factors
          onReady={() => {
            queryClient.clear();
            void navigate({ to: "/", replace: true });
          }}
        />
        <Button
          variant="quiet"
          onClick={() => void signOut().then(() => navigate({ to: "/login", replace: true }))}
        >
          {t.nav.signOut}
        </Button>
      </div>
      <Suspense>{asked && <IdentityDialog />}</Suspense>
    </AuthPage>
  );
}
