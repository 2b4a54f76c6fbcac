import { useQuery } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";
import { queries } from "@/api/queries";
import type { SealKey } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Skeleton } from "@/components/ui/skeleton";
import { Time } from "@/lib/time";
import { team } from "./strings";

const needed = (key: SealKey) => key.current || key.secrets > 0;

/** The keys that seal what members entrust to this server. Operators change them on the command line. */
export function SealKeys() {
  const all = useQuery(queries.sealKeys());
  const shown = all.data?.filter((key) => key.retiredAt === null || key.secrets > 0);
  return (
    <Section id="seal-keys" title={team.sealKeys.title} lead={team.sealKeys.lead}>
      {all.isError ? (
        <ErrorState error={all.error} onRetry={() => all.refetch()} className="py-6" />
      ) : shown === undefined ? (
        <Skeleton className="h-15 rounded-xl" />
      ) : (
        <ul className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
          {shown.map((key) => (
            <Row key={key.id} of={key} />
          ))}
        </ul>
      )}
    </Section>
  );
}

function Row({ of: key }: { of: SealKey }) {
  const lost = needed(key) && !key.here;
  return (
    <li className="flex items-center gap-3 px-4 py-3 text-sm">
      <KeyRound aria-hidden className="size-5 shrink-0 text-faint max-sm:hidden" />
      <div className="min-w-0 flex-1">
        <p className="truncate font-medium font-mono">{key.id}</p>
        <p className="text-faint text-xs">
          {team.sealKeys.seals(key.secrets)}
          {key.currentAt !== null && (
            <>
              {` · ${team.sealKeys.since} `}
              <Time at={key.currentAt} />
            </>
          )}
        </p>
        {lost && (
          <p role="alert" className="mt-1 text-red text-xs">
            {team.sealKeys.lost}
          </p>
        )}
      </div>
      <Badge tone={lost ? "red" : key.current ? "green" : "grey"}>
        {lost
          ? team.sealKeys.missing
          : key.current
            ? team.sealKeys.current
            : key.secrets > 0
              ? team.sealKeys.replaced
              : key.currentAt === null
                ? team.sealKeys.waiting
                : team.sealKeys.spent}
      </Badge>
    </li>
  );
}
