import { lazy, Suspense } from "react";
import { useMay, useMe } from "@/api/queries";
import { OWN, shownTo, TEAMS } from "@/app/sections";
import { Page } from "@/components/page";
import { Indexed } from "@/components/section-index";
import { Skeleton } from "@/components/ui/skeleton";
import { ConnectTools } from "@/features/connect/connect";
import { Security } from "@/features/security/section";
import { Appearance } from "@/features/settings/appearance";
import { Identities } from "@/features/settings/identities";
import { OwnKeys } from "@/features/settings/keys/own-keys";
import { TeamKeys } from "@/features/settings/keys/team-keys";
import { TeamLimits } from "@/features/settings/limits";
import { MorningReport } from "@/features/settings/morning";
import { NotificationSettings, TeamWebhooks } from "@/features/settings/notifications";
import { Password } from "@/features/settings/password";
import { Prices } from "@/features/settings/prices";
import { Profile } from "@/features/settings/profile";
import { Sessions } from "@/features/settings/sessions";
import { Tokens } from "@/features/settings/tokens";

const TeamServers = lazy(() => import("@/features/mcp/team-servers"));

/** What is a member's own, and below it what admins set for the team. */
export default function SettingsPage() {
  const rights = useMe().data?.rights ?? [];
  const mayKeepKeys = useMay("keys");
  const mayRun = useMay("run");
  const mayAdminister = useMay("administer");
  const teams = shownTo(TEAMS, rights);
  return (
    <Page
      title="Settings"
      lead={
        mayAdminister
          ? "What is yours, then what holds for the team. A project has settings of its own."
          : "What is yours, and what your admins set for every project. A project has settings of its own."
      }
    >
      <Indexed
        label="Sections of the settings"
        groups={[
          { title: "You", sections: shownTo(OWN, rights) },
          { title: "Team", sections: teams },
        ]}
      >
        <div>
          <Profile />
          <Appearance />
          {mayKeepKeys && <OwnKeys />}
          <NotificationSettings />
          {mayRun && <MorningReport />}
          <Password />
          <Identities />
          <Security />
          <Sessions />
          <ConnectTools />
          <Tokens />
        </div>
        <div className="mt-6 border-line-strong border-t-2 pt-7">
          <p className="mb-6 text-muted text-sm">What follows holds for the whole team.</p>
          {mayAdminister && (
            <>
              <TeamKeys />
              <TeamLimits />
              <Prices />
              <TeamWebhooks />
            </>
          )}
          <Suspense fallback={<Skeleton className="h-40" />}>
            <TeamServers mayManage={mayAdminister} />
          </Suspense>
        </div>
      </Indexed>
    </Page>
  );
}
