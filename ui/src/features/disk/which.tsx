import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import type { NodeNow } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { bytes, percent, shortId } from "@/lib/format";
import { d } from "./strings";

/** Which server the page speaks of, and how full the disks of the others are. */
export function WhichServer({ node }: { node: string }) {
  const nodes = useQuery({
    queryKey: keys.operation,
    queryFn: ({ signal }) => api.operation(signal),
  }).data?.nodes;
  const name = nodes?.find((one) => one.reading.node === node)?.name;
  const others = nodes?.filter((one) => one.reading.node !== node) ?? [];
  return (
    <div className="mb-5 text-sm">
      <p className="text-muted">
        {d.node}{" "}
        <strong className="font-semibold text-ink" title={node}>
          {name ?? shortId(node)}
        </strong>
      </p>
      {others.length > 0 && (
        <section
          aria-label={d.others}
          className="mt-3 rounded-xl border border-line bg-surface p-4 shadow-card"
        >
          <h2 className="font-semibold">{d.others}</h2>
          <p className="mt-0.5 text-faint text-xs">{d.othersLead}</p>
          <ul className="mt-3 flex flex-col gap-1.5">
            {others.map((one) => (
              <li key={one.id} className="flex flex-wrap items-center gap-x-3 gap-y-1">
                <span className="min-w-0 flex-1 truncate font-medium">{one.name}</span>
                {one.silent && <Badge tone="red">{d.silent}</Badge>}
                <span className="num text-muted">{fullness(one)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function fullness({ reading }: NodeNow): string {
  const { disk } = reading;
  if (!disk || disk.total <= 0) return d.notTold;
  return d.full(bytes(disk.used), bytes(disk.total), percent(disk.used / disk.total));
}
