import { useMay } from "@/api/queries";
import { Page } from "@/components/page";
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

export default function SettingsPage() {
  const mayKeepKeys = useMay("keys");
  const mayRun = useMay("run");
  const mayAdminister = useMay("administer");
  return (
    <Page
      title="Settings"
      lead="What is yours, and for admins the team's keys, limits and prices. What holds for a project is in its own settings."
      width="sm"
    >
      <Profile />
      {mayKeepKeys && <OwnKeys />}
      {mayAdminister && <TeamKeys />}
      {mayAdminister && <TeamLimits />}
      {mayAdminister && <Prices />}
      <Appearance />
      <NotificationSettings />
      {mayAdminister && <TeamWebhooks />}
      {mayRun && <MorningReport />}
      <Password />
      <Identities />
      <Security />
      <Sessions />
      <ConnectTools />
      <Tokens />
    </Page>
  );
}
