import { Page } from "@/components/page";
import { Appearance } from "@/features/settings/appearance";
import { ProviderKeys } from "@/features/settings/keys";
import { Profile } from "@/features/settings/profile";
import { Sessions } from "@/features/settings/sessions";

export default function SettingsPage() {
  return (
    <Page title="Settings" lead="Yours alone. What holds for a project is in its own settings." width="sm">
      <Profile />
      <ProviderKeys />
      <Appearance />
      <Sessions />
    </Page>
  );
}
