import { useQuery } from "@tanstack/react-query";
import { Hourglass } from "lucide-react";
import { queries } from "@/api/queries";
import type { Feature } from "@/api/types";
import { reason } from "@/features/auto/moment";
import { s } from "../strings";

/** Why it waits, and at which place of the queue. */
export function Waits({ feature }: { feature: Feature }) {
  // A paused one waits where it was stopped with auto mode.
  const may = feature.status === "queued" || feature.status === "backlog" || feature.status === "paused";
  const item = useQuery({
    ...queries.queue(feature.projectId),
    enabled: may,
    select: (items) => items.find((entry) => entry.featureId === feature.id),
  }).data;
  if (!may || item === undefined) return null;
  return (
    <p className="flex items-start gap-1.5 text-muted text-sm">
      <Hourglass aria-hidden className="mt-0.5 size-3.5 shrink-0" />
      <span>
        {item.position !== null && <span className="num">{s.header.position(item.position)} · </span>}
        {reason(item.waiting)}
      </span>
    </p>
  );
}
