import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import { queries, useMay, useMe, useMembers } from "@/api/queries";
import type { MonthStanding } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { cn } from "@/lib/cn";
import { exactMoney, money } from "@/lib/format";
import { Time } from "@/lib/time";
import { isOwn } from "./own";
import { budgets } from "./strings";
import { SumDialog } from "./sum-dialog";

type Asking = { what: "team" } | { what: "own" } | { what: "given"; row: MonthStanding; name: string } | null;

/** How the month stands: one's own, and for admins everybody's. */
export function Budgets() {
  const view = useQuery(queries.budgets());
  const me = useMe().data;
  const members = useMembers().data;
  const admin = useMay("administer");
  const client = useQueryClient();
  const [asking, setAsking] = useState<Asking>(null);
  const name = (id: string) => members?.find((member) => member.id === id)?.name ?? "…";
  const done = async () => {
    await client.invalidateQueries({ queryKey: keys.budgets });
    toast.done(budgets.saved);
  };
  const rows = view.data?.items;
  const resets = rows?.[0]?.resetsAt;
  return (
    <Section
      id="budgets"
      title={budgets.title}
      lead={
        resets && (
          <>
            {budgets.lead} <Time at={resets} />.
          </>
        )
      }
    >
      {view.isError ? (
        <ErrorState error={view.error} onRetry={() => view.refetch()} className="py-6" />
      ) : rows === undefined ? (
        <Skeleton className="h-24 rounded-xl" />
      ) : (
        <ul className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
          {admin && view.data && (
            <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
              <span className="min-w-40 flex-1 text-muted">{budgets.teamRow}</span>
              <span className="num">
                {view.data.monthMicros === null ? budgets.none : money(view.data.monthMicros ?? 0)}
              </span>
              <Button
                size="sm"
                aria-label={`${budgets.change}: ${budgets.team}`}
                onClick={() => setAsking({ what: "team" })}
              >
                {budgets.change}
              </Button>
            </li>
          )}
          {rows.map((row) => (
            <BudgetRow
              key={row.memberId}
              row={row}
              name={name(row.memberId)}
              help={!admin && !isOwn(row, view.data?.monthMicros ?? null) ? budgets.admin : null}
              action={
                admin ? (
                  <Button
                    size="sm"
                    aria-label={`${budgets.change}: ${name(row.memberId)}`}
                    onClick={() => setAsking({ what: "given", row, name: name(row.memberId) })}
                  >
                    {budgets.change}
                  </Button>
                ) : null
              }
              lower={
                row.memberId === me?.id ? (
                  <Button size="sm" variant="ghost" onClick={() => setAsking({ what: "own" })}>
                    {row.ownMicros == null ? budgets.lower : budgets.changeOwn}
                  </Button>
                ) : null
              }
            />
          ))}
        </ul>
      )}
      {asking?.what === "team" && (
        <SumDialog
          open
          optional
          onOpenChange={() => setAsking(null)}
          title={budgets.team}
          help={budgets.teamHelp}
          value={view.data?.monthMicros ?? null}
          onSave={async (micros) => {
            await api.putTeamBudget(micros);
            await done();
          }}
        />
      )}
      {asking?.what === "own" && (
        <SumDialog
          open
          optional
          onOpenChange={() => setAsking(null)}
          title={budgets.own}
          help={budgets.ownHelp}
          value={rows?.find((row) => row.memberId === me?.id)?.ownMicros ?? null}
          onSave={async (micros) => {
            await api.putOwnBudget(micros);
            await done();
          }}
        />
      )}
      {asking?.what === "given" && (
        <SumDialog
          open
          optional
          onOpenChange={() => setAsking(null)}
          title={budgets.given(asking.name)}
          help={budgets.givenHelp}
          value={asking.row.givenMicros ?? null}
          onSave={async (micros) => {
            await api.giveBudget(asking.row.memberId, micros);
            await done();
          }}
        />
      )}
    </Section>
  );
}

function BudgetRow({
  row,
  name,
  help,
  action,
  lower,
}: {
  row: MonthStanding;
  name: string;
  /** What helps when it is used up. */
  help: string | null;
  action: React.ReactNode;
  lower: React.ReactNode;
}) {
  const cap = row.capMicros ?? null;
  const share = (micros: number) => (cap === null ? 0 : Math.min(100, (micros / cap) * 100));
  const usedUp = cap !== null && row.spentMicros >= cap;
  return (
    <li className="flex flex-col gap-2 px-4 py-3">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1 text-sm">
        <span className="min-w-32 flex-1 truncate font-medium">{name}</span>
        {usedUp && <Badge tone="amber">{budgets.usedUp}</Badge>}
        {usedUp && help && <span className="text-muted">{help}</span>}
        <span className="num text-muted" title={exactMoney(row.spentMicros)}>
          {cap === null
            ? budgets.spentOnly(money(row.spentMicros))
            : budgets.spent(money(row.spentMicros), money(cap))}
        </span>
        {lower}
        {action}
      </div>
      {cap !== null && (
        <div
          role="progressbar"
          aria-label={budgets.bar(name)}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(share(row.spentMicros))}
          aria-valuetext={budgets.spent(money(row.spentMicros), money(cap))}
          className="flex h-1.5 overflow-hidden rounded-full bg-grey-soft"
        >
          <span
            className={cn("h-full", usedUp ? "bg-amber" : "bg-accent")}
            style={{ width: `${share(row.spentMicros)}%` }}
          />
          <span className="h-full bg-accent/40" style={{ width: `${share(row.reservedMicros)}%` }} />
        </div>
      )}
      {row.reservedMicros > 0 && (
        <p className="num text-faint text-xs">{budgets.reserved(money(row.reservedMicros))}</p>
      )}
    </li>
  );
}
