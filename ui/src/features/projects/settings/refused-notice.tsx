import { Link } from "@tanstack/react-router";
import { useMay } from "@/api/queries";
import type { Run } from "@/api/types";
import { RefusedList, useNetwork } from "./refused";
import { network as s } from "./strings";

/** On a card: the hosts that its run's commands were refused, to be allowed where one reads of them. */
export default function RefusedNotice({ run }: { run: Run }) {
  const mayManage = useMay("manageProjects");
  const refused = useNetwork(run.projectId).data?.refused.filter((host) => host.lastRunId === run.id) ?? [];
  if (refused.length === 0) return null;
  return (
    <section aria-label={s.refused} className="mx-4 mb-2 max-h-48 overflow-y-auto scroll-thin">
      <p className="flex flex-wrap items-baseline justify-between gap-x-4 text-muted text-sm">
        {s.ofRun}
        <Link
          to="/p/$projectId/settings"
          params={{ projectId: run.projectId }}
          hash="network"
          className="rounded text-accent-text text-xs underline-offset-2 hover:underline"
        >
          {s.settings}
        </Link>
      </p>
      <RefusedList projectId={run.projectId} hosts={refused} mayManage={mayManage} />
    </section>
  );
}
