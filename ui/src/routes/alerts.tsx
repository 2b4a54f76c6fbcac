import { Lock } from "lucide-react";
import { useMay } from "@/api/queries";
import { Page } from "@/components/page";
import { Empty } from "@/components/state";
import { AlertHistory } from "@/features/alerts/history";
import { OpenAlerts } from "@/features/alerts/open";
import { words } from "@/features/alerts/strings";
import { ThresholdsForm } from "@/features/alerts/thresholds";
import { OperationPage } from "@/features/operation/page";

/** What needs somebody who runs the servers. For admins. */
export default function AlertsPage() {
  const may = useMay("administer");
  if (!may)
    return (
      <Page title={words.title}>
        <Empty icon={<Lock />} title={words.forbiddenTitle}>
          {words.forbidden}
        </Empty>
      </Page>
    );
  return (
    <OperationPage title={words.title} lead={words.lead} narrow>
      <OpenAlerts />
      <AlertHistory />
      <ThresholdsForm />
    </OperationPage>
  );
}
