import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CirclePause } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { queries, useMay, useMe } from "@/api/queries";
import type { Run } from "@/api/types";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { moment } from "@/features/auto/moment";
import { money } from "@/lib/format";
import { isOwn } from "./own";
import { parked as words } from "./strings";
import { SumDialog } from "./sum-dialog";

/** What is offered at once, in micro-dollars. */
const MORE = 5_000_000;

/** Says what a run is put off for that is not its provider; where that is a budget, whoever may lets it go on. */
export default function ParkedNotice({ run }: { run: Run }) {
  const me = useMe().data;
  const admin = useMay("administer");
  const mayRun = useMay("run");
  const client = useQueryClient();
  const [asking, setAsking] = useState<"more" | "month" | null>(null);
  const [busy, setBusy] = useState(false);
  const kind = run.parkedFor;
  const budgets = useQuery({ ...queries.budgets(), enabled: kind === "month" }).data;
  if (kind === null || kind === undefined) return null;
  const ofBudget = kind === "run" || kind === "month";
  const own = me?.id === run.memberId;
  const row = budgets?.items.find((item) => item.memberId === run.memberId);
  // What the member set, nobody else can raise.
  const byMember = row !== undefined && isOwn(row, budgets?.monthMicros ?? null);
  const mayMore = kind === "run" && mayRun && (own || admin);
  const allow = async (micros: number) => {
    await api.allowCost(run.featureId, micros);
    toast.done(words.allowed);
  };
  const allowNow = async () => {
    setBusy(true);
    try {
      await allow(MORE);
    } catch (cause) {
      toast.error(undefined, asApiError(cause));
    } finally {
      setBusy(false);
    }
  };
  return (
    <section
      aria-label={ofBudget ? words.label : words.labelOther}
      className="mx-4 mb-2 flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg bg-amber-soft px-3 py-2 text-sm"
    >
      <CirclePause aria-hidden className="size-4 shrink-0 text-amber" />
      <p className="min-w-48 flex-1" role="status">
        <span className="font-medium">{words.title[kind]}.</span> {run.parkedReason}
        {!ofBudget && run.parkedUntil && ` ${words.again(moment(run.parkedUntil))}`}
        {!mayMore && kind === "run" && ` ${words.askWho}`}
        {kind === "month" && byMember && !own && ` ${words.ownHolds}`}
        {kind === "month" && !byMember && !admin && ` ${words.askAdmin}`}
      </p>
      {mayMore && (
        <span className="flex gap-2">
          <Button size="sm" busy={busy} onClick={() => void allowNow()}>
            {words.more(money(MORE))}
          </Button>
          <Button size="sm" variant="ghost" onClick={() => setAsking("more")}>
            {words.other}
          </Button>
        </span>
      )}
      {kind === "month" && admin && !byMember && (
        <Button size="sm" onClick={() => setAsking("month")}>
          {words.raise}
        </Button>
      )}
      {kind === "month" && own && byMember && (
        <Button size="sm" render={<Link to="/usage" hash="budgets" />}>
          {words.raiseOwn}
        </Button>
      )}
      {asking === "more" && (
        <SumDialog
          open
          onOpenChange={() => setAsking(null)}
          title={words.howMuch}
          value={MORE}
          onSave={(micros) => allow(micros ?? 0)}
        />
      )}
      {asking === "month" && (
        <RaiseMonth
          run={run}
          onClose={() => setAsking(null)}
          onSaved={() => void client.invalidateQueries({ queryKey: keys.budgets })}
        />
      )}
    </section>
  );
}

function RaiseMonth({ run, onClose, onSaved }: { run: Run; onClose: () => void; onSaved: () => void }) {
  const client = useQueryClient();
  const row = client
    .getQueryData(queries.budgets().queryKey)
    ?.items.find((item) => item.memberId === run.memberId);
  return (
    <SumDialog
      open
      onOpenChange={onClose}
      title={words.raise}
      value={row?.capMicros ?? null}
      onSave={async (micros) => {
        await api.giveBudget(run.memberId, micros);
        onSaved();
        toast.done(words.allowed);
      }}
    />
  );
}
