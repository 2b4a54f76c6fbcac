import { useMutation, useQueries, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleAlert } from "lucide-react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { queries, useMay } from "@/api/queries";
import type { Feature, FeatureStatus } from "@/api/types";
import { StatusIcon } from "@/components/status";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { putFeature } from "@/live/apply";
import { rememberFeature } from "@/live/recent";
import * as words from "@/strings";
import { s } from "../strings";
import { Section } from "./Section";

const satisfied = (status: FeatureStatus) => status === "verified" || status === "completed";

/** The features that must be done first, and how they stand. */
export function Dependencies({ feature }: { feature: Feature }) {
  const ids = feature.dependencies;
  const features = useQueries({ queries: ids.map((id) => queries.feature(id)) });
  return (
    <Section title={s.overview.dependencies}>
      <ul className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
        {features.map(({ data, isPending, error }, at) => (
          <li key={ids[at]} className="border-line border-b last:border-b-0">
            {data ? (
              <Link
                to="/f/$featureId"
                params={{ featureId: data.id }}
                className="-outline-offset-2 flex min-h-9 items-center gap-2.5 px-3 py-1.5 text-sm hover:bg-hover"
              >
                <StatusIcon status={data.status} />
                <span className="num font-mono text-faint text-xs">#{data.number}</span>
                <span className="min-w-0 flex-1 truncate">{data.title}</span>
                <span className={satisfied(data.status) ? "text-green text-xs" : "text-amber text-xs"}>
                  {words.status[data.status]}
                </span>
              </Link>
            ) : isPending ? (
              <Skeleton className="m-2.5 h-4" />
            ) : (
              asApiError(error).status === 404 && <Gone feature={feature} id={ids[at] ?? ""} />
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** One that was deleted: the card waits until it is taken off. */
function Gone({ feature, id }: { feature: Feature; id: string }) {
  const client = useQueryClient();
  const mayBuild = useMay("build");
  const takeOff = useMutation({
    mutationFn: () =>
      api.updateFeature(feature.id, {
        dependencies: feature.dependencies.filter((entry) => entry !== id),
        expectVersion: feature.version,
      }),
    onSuccess: (changed) => {
      rememberFeature(changed);
      putFeature(client, changed);
    },
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
  return (
    <div className="flex min-h-9 items-center gap-2.5 px-3 py-1.5 text-sm">
      <CircleAlert aria-hidden className="size-4 shrink-0 text-amber" />
      <span className="min-w-0 flex-1">{s.overview.deleted}</span>
      {mayBuild && (
        <Button size="sm" busy={takeOff.isPending} onClick={() => takeOff.mutate()}>
          {s.overview.takeOff}
        </Button>
      )}
    </div>
  );
}
