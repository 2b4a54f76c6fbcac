import { useMay } from "@/api/queries";
import { Page } from "@/components/page";
import { Appearance } from "@/features/settings/appearance";
import { Identities } from "@/features/settings/identities";
import { ProviderKeys } from "@/features/settings/keys";
import { Password } from "@/features/settings/password";
import { Profile } from "@/features/settings/profile";
import { Sessions } from "@/features/settings/sessions";
import { Tokens } from "@/features/settings/tokens";

export default function SettingsPage() {
  const mayKeepKeys = useMay("keys");
  return (
    <Page title="Settings" lead="Yours alone. What holds for a project is in its own settings." width="sm">
      <Profile />
      {mayKeepKeys && <ProviderKeys />}
      <Appearance />
      <Password />
      <Identities />
      <Sessions />
      <Tokens />
    </Page>
  );
}
