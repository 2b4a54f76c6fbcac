import { useMe, useMembers } from "@/api/queries";
import type { RateLimit } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { Countdown } from "@/features/feature/live/Divider";
import { cn } from "@/lib/cn";
import { count, duration, percent, timeOfDay } from "@/lib/format";
import { l } from "./strings";

const seconds = (value: number) => (value < 0.05 ? "–" : duration(value * 1_000));

/** How the limits of one key stand, for the models that share them. */
export function Lane({ item }: { item: RateLimit }) {
  const me = useMe().data;
  const members = useMembers().data;
  const nameOf = (id: string) => members?.find((member) => member.id === id)?.name ?? id.slice(0, 8);
  const { state, lane } = item;
  const owner =
    item.memberId === null
      ? l.source[item.source]
      : item.memberId === me?.id
        ? l.yours
        : l.keyOf(nameOf(item.memberId));
  const title = `${owner}${item.hint ? ` ${l.ending(item.hint)}` : ""} · ${lane.class}`;
  const id = `lane-${lane.credential}-${lane.class}`;
  const hour = state.lastHour;
  return (
    <section
      aria-labelledby={id}
      className="flex flex-col gap-5 rounded-xl border border-line bg-surface p-4 shadow-card sm:p-5"
    >
      <header className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <div className="min-w-0 flex-1">
          <h2 id={id} className="truncate font-semibold">
            {title}
          </h2>
          <p className="truncate text-faint text-xs">{lane.host}</p>
        </div>
        {item.gateUntil !== null ? (
          <Badge tone="amber">
            {l.closed} {timeOfDay(item.gateUntil)} <Countdown until={item.gateUntil} />
          </Badge>
        ) : state.queued > 0 ? (
          <Badge tone="amber">{l.waits(state.queued)}</Badge>
        ) : (
          <Badge tone="green">{l.open}</Badge>
        )}
      </header>

      {state.buckets.length === 0 ? (
        <p className="text-muted text-sm">
          {state.learnedLimit === null ? l.unknown : l.learned(count(state.learnedLimit))}
        </p>
      ) : (
        <Table
          label={`${l.limits}, ${title}`}
          head={[
            [l.col.limit],
            [l.col.left],
            [l.col.reserved, l.help.reserved],
            [l.col.refill],
            [l.col.drift, l.help.drift],
            [l.col.error, l.help.error],
            [l.col.use, l.help.use],
          ]}
          rows={state.buckets.map((bucket) => ({
            key: bucket.name,
            cells: [
              l.limit[bucket.name] ?? bucket.name,
              <Left key="left" left={bucket.remaining} of={bucket.limit} />,
              count(bucket.reserved),
              count(bucket.refillPerMinute),
              count(bucket.driftPerMinute),
              percent(bucket.error),
              percent(bucket.used),
            ],
          }))}
        />
      )}

      <div className="grid gap-x-8 gap-y-4 sm:grid-cols-2">
        <Facts
          title={l.facts}
          facts={[
            [l.inFlight, count(state.inFlight)],
            [l.queued, count(state.queued)],
            [l.atOnce, count(state.concurrency)],
            [l.floor, percent(state.floor)],
            [l.fairness, percent(state.fairness), l.help.fairness],
          ]}
        />
        <Facts
          title={l.hour}
          facts={[
            [l.answered, count(hour.answered)],
            [l.limited, `${count(hour.limited)} · ${l.perThousand(hour.limitedPerThousand.toFixed(1))}`],
            [
              l.overloaded,
              `${count(hour.overloaded)} · ${l.perThousand(hour.overloadedPerThousand.toFixed(1))}`,
            ],
          ]}
        />
      </div>

      {state.members.length === 0 ? (
        <p className="text-faint text-sm">{l.nobody}</p>
      ) : (
        <Table
          label={`${l.members}, ${title}`}
          head={[[l.col.member], [l.col.waiting], [l.col.longest], [l.col.typical], [l.col.share]]}
          rows={state.members.map((member) => ({
            key: member.member,
            cells: [
              nameOf(member.member),
              count(member.queued),
              seconds(member.longestWaitSeconds),
              seconds(member.waitP50Seconds),
              percent(member.share),
            ],
          }))}
        />
      )}
    </section>
  );
}

function Left({ left, of }: { left: number; of: number }) {
  const share = of > 0 ? Math.min(1, Math.max(0, left / of)) : 0;
  return (
    <span className="inline-flex items-center justify-end gap-2">
      <span
        aria-hidden
        className="hidden h-1.5 w-16 overflow-hidden rounded-full bg-grey-soft sm:inline-flex"
      >
        <span
          className={cn("rounded-full", share < 0.1 ? "bg-amber" : "bg-accent")}
          style={{ width: `${100 * share}%` }}
        />
      </span>
      {l.leftOf(count(Math.max(0, left)), count(of))}
    </span>
  );
}

function Table({
  label,
  head,
  rows,
}: {
  label: string;
  head: [name: string, help?: string][];
  rows: { key: string; cells: React.ReactNode[] }[];
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    <section aria-label={label} tabIndex={0} className="-mx-1 overflow-x-auto px-1 scroll-thin">
      <table className="num w-full text-sm sm:min-w-max">
        <thead>
          <tr className="text-left text-faint text-xs">
            {head.map(([name, help], at) => (
              <th
                key={name}
                scope="col"
                title={help}
                className={cn("py-1 pr-3 align-bottom font-normal last:pr-0 sm:pr-4", at > 0 && "text-right")}
              >
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key} className="border-line border-t">
              {row.cells.map((cell, at) =>
                at === 0 ? (
                  <th key={head[at]?.[0]} scope="row" className="py-1.5 pr-3 text-left font-normal sm:pr-4">
                    {cell}
                  </th>
                ) : (
                  <td
                    key={head[at]?.[0]}
                    className="whitespace-nowrap py-1.5 pr-3 text-right last:pr-0 sm:pr-4"
                  >
                    {cell}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Facts({ title, facts }: { title: string; facts: [name: string, value: string, help?: string][] }) {
  return (
    <div>
      <h3 className="mb-1 text-faint text-xs">{title}</h3>
      <dl className="num grid grid-cols-[auto_1fr] gap-x-6 gap-y-0.5 text-sm">
        {facts.map(([name, value, help]) => (
          <div key={name} className="contents">
            <dt className="text-muted" title={help}>
              {name}
              {help && <span className="sr-only"> ({help})</span>}
            </dt>
            <dd className="text-right sm:text-left">{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
