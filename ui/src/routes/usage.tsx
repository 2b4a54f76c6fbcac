import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { ChartColumn, Download } from "lucide-react";
import { lazy, Suspense, useState } from "react";
import { queries, useMay, useMe, useMembers, useProjects } from "@/api/queries";
import type { UsageBy, UsageView } from "@/api/types";
import { Page, Section } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { Budgets } from "@/features/usage/budgets";
import type { Measure } from "@/features/usage/chart";
import { csvOf, save } from "@/features/usage/csv";
import {
  BYS,
  daysOf,
  PERIODS,
  type Period,
  todayIn,
  type UsageSearch,
  usageSearch,
} from "@/features/usage/search";
import { usage as words } from "@/features/usage/strings";
import { cacheShare, inputTokens, totalTokens } from "@/features/usage/sums";
import { DayTable, UsageTable } from "@/features/usage/table";
import { cn } from "@/lib/cn";
import { count, exactMoney, money, plural, shortCount } from "@/lib/format";

// The library that draws it is large: fetched when there is something to draw.
const Chart = lazy(() => import("@/features/usage/chart"));

const route = getRouteApi("/frame/usage");
const OWN = "own";
const ALL = "all";

export default function UsagePage() {
  const search = usageSearch({ ...route.useSearch() });
  const me = useMe().data;
  const admin = useMay("administer");
  const own = search.from !== undefined && search.to !== undefined;
  const today = todayIn(me?.timeZone);
  const days = own
    ? { from: search.from ?? today, to: search.to ?? today }
    : daysOf(search.period ?? "30", today);
  const by = search.by ?? "model";
  const answer = useQuery({
    ...queries.usage({
      ...days,
      by,
      ...(search.project ? { project: search.project } : {}),
      ...(search.member ? { member: search.member } : {}),
    }),
    enabled: me !== undefined,
  });
  const view = answer.data;
  return (
    <Page title={words.title} lead={admin ? words.lead.team : words.lead.member} width="md">
      <Tools search={search} days={days} own={own} by={by} admin={admin} />
      {answer.isError && view === undefined ? (
        <ErrorState error={answer.error} onRetry={() => answer.refetch()} />
      ) : view === undefined ? (
        <Loading />
      ) : view.total.calls === 0 ? (
        <Empty icon={<ChartColumn />} title={words.emptyTitle}>
          {words.empty}
        </Empty>
      ) : (
        <div className={cn("flex flex-col gap-6", answer.isPlaceholderData && "opacity-60")}>
          <Shown view={view} />
        </div>
      )}
      <div className="mt-10">
        <Budgets />
      </div>
    </Page>
  );
}

function Loading() {
  return (
    <div className="flex flex-col gap-6" aria-hidden>
      <Skeleton className="h-20 rounded-xl" />
      <Skeleton className="h-72 rounded-xl" />
      <Skeleton className="h-48 rounded-xl" />
    </div>
  );
}

function Tools({
  search,
  days,
  own,
  by,
  admin,
}: {
  search: UsageSearch;
  days: { from: string; to: string };
  own: boolean;
  by: UsageBy;
  admin: boolean;
}) {
  const navigate = route.useNavigate();
  const projects = useProjects().data ?? [];
  const members = useMembers().data ?? [];
  const go = (change: Partial<UsageSearch>, without: (keyof UsageSearch)[] = []) =>
    void navigate({
      search: (before) => {
        const next = { ...before, ...change };
        for (const name of without) delete next[name];
        return next;
      },
      replace: true,
    });
  const setDay = (name: "from" | "to", value: string) => {
    if (value === "") return;
    const next = { ...days, [name]: value };
    if (next.from > next.to) next[name === "from" ? "to" : "from"] = value;
    go(next);
  };
  return (
    <div className="mb-6 flex flex-wrap items-center gap-2">
      <Select<Period | typeof OWN>
        label={words.period.label}
        variant="chip"
        value={own ? OWN : (search.period ?? "30")}
        onChange={(period) => (period === OWN ? go({ ...days }, ["period"]) : go({ period }, ["from", "to"]))}
        options={[...PERIODS, OWN as typeof OWN].map((value) => ({ value, label: words.period[value] }))}
      />
      {own && (
        <span className="flex items-center gap-1.5">
          <Input
            type="date"
            aria-label={words.from}
            className="h-7 w-36"
            value={days.from}
            onChange={(event) => setDay("from", event.target.value)}
          />
          <span aria-hidden className="text-faint">
            –
          </span>
          <Input
            type="date"
            aria-label={words.to}
            className="h-7 w-36"
            value={days.to}
            onChange={(event) => setDay("to", event.target.value)}
          />
        </span>
      )}
      <Select<UsageBy>
        label={words.groupBy}
        variant="chip"
        value={by}
        onChange={(next) => go({ by: next })}
        options={BYS.map((value) => ({ value, label: `${words.groupBy} ${words.by[value].toLowerCase()}` }))}
      />
      <Select<string>
        label={words.project}
        variant="chip"
        value={search.project ?? ALL}
        onChange={(project) => (project === ALL ? go({}, ["project"]) : go({ project }))}
        options={[
          { value: ALL, label: words.everyProject },
          ...projects.map((project) => ({ value: project.id, label: project.name })),
        ]}
      />
      {admin && (
        <Select<string>
          label={words.member}
          variant="chip"
          value={search.member ?? ALL}
          onChange={(member) => (member === ALL ? go({}, ["member"]) : go({ member }))}
          options={[
            { value: ALL, label: words.everybody },
            ...members.map((member) => ({ value: member.id, label: member.name })),
          ]}
        />
      )}
    </div>
  );
}

function Shown({ view }: { view: UsageView }) {
  const [chosen, choose] = useState<Measure>();
  const { total } = view;
  // Where nothing costs anything, a chart of the cost would be empty.
  const measure = chosen ?? (total.costMicros === 0 ? "tokens" : "cost");
  return (
    <>
      <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-xl border border-line bg-line shadow-card sm:grid-cols-4">
        <Fact name={words.cost} title={exactMoney(total.costMicros)}>
          {money(total.costMicros)}
        </Fact>
        <Fact name={words.tokens} title={count(totalTokens(total))}>
          {shortCount(totalTokens(total))}
        </Fact>
        <Fact name={words.cached} title={words.cachedHelp}>
          {cacheShare(total)}
        </Fact>
        <Fact name={words.calls} title={`${count(inputTokens(total))} / ${count(total.outputTokens)}`}>
          {count(total.calls)}
        </Fact>
      </dl>
      {total.unpricedCalls > 0 && (
        <p role="note" className="rounded-lg bg-amber-soft px-3 py-2 text-amber text-sm">
          {words.unpriced(plural(total.unpricedCalls, "call"), total.unpricedCalls === 1)}
        </p>
      )}
      <section
        aria-label={words.byDay(words[measure])}
        className="rounded-xl border border-line bg-surface p-4 shadow-card"
      >
        <div className="mb-3 flex items-center justify-between gap-3">
          <h2 className="font-semibold text-sm">{words.byDay(words[measure])}</h2>
          <fieldset className="flex rounded-md border border-line p-0.5">
            <legend className="sr-only">{words.show}</legend>
            {(["cost", "tokens"] as const).map((value) => (
              <button
                key={value}
                type="button"
                aria-pressed={measure === value}
                onClick={() => choose(value)}
                className="rounded px-2 py-0.5 text-muted text-xs hover:text-ink aria-pressed:bg-pressed aria-pressed:text-ink"
              >
                {words[value]}
              </button>
            ))}
          </fieldset>
        </div>
        <Suspense fallback={<Skeleton className="h-64 rounded-lg" />}>
          <Chart view={view} measure={measure} />
        </Suspense>
        <DayTable view={view} />
        <p className="mt-2 text-faint text-xs">{words.zone(view.timeZone)}</p>
      </section>
      <Section id="groups" title={words.by[view.by]}>
        <div className="-mt-11 mb-3 flex justify-end">
          <Button
            size="sm"
            aria-label={words.saveCsv}
            onClick={() => save(`usage-${view.by}-${view.from}-${view.to}.csv`, csvOf(view))}
          >
            <Download /> {words.csv}
          </Button>
        </div>
        <UsageTable view={view} />
      </Section>
    </>
  );
}

function Fact({ name, title, children }: { name: string; title: string; children: React.ReactNode }) {
  return (
    <div className="bg-surface px-4 py-3" title={title}>
      <dt className="text-faint text-xs">{name}</dt>
      <dd className="num mt-0.5 font-semibold text-xl tracking-tight">{children}</dd>
    </div>
  );
}
