import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { queries } from "@/api/queries";
import type { FeatureStatus } from "@/api/types";
import { StatusIcon } from "@/components/status";
import { Skeleton } from "@/components/ui/skeleton";
import * as words from "@/strings";
import { s } from "../strings";
import { Section } from "./Section";

const satisfied = (status: FeatureStatus) => status === "verified" || status === "completed";

/** The features that must be done first, and how they stand. */
export function Dependencies({ ids }: { ids: string[] }) {
  const features = useQueries({ queries: ids.map((id) => queries.feature(id)) });
  return (
    <Section title={s.overview.dependencies}>
      <ul className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
        {features.map(({ data, isPending }, at) => (
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
            ) : (
              isPending && <Skeleton className="m-2.5 h-4" />
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}
