import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ChartArea } from "lucide-react";
import { lazy, Suspense, useMemo, useState } from "react";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { SamplesRange } from "@/api/types";
import { Empty, ErrorState } from "@/components/state";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { cn } from "@/lib/cn";
import { PlotTable } from "./plot-table";
import {
  type MemberMeasure,
  marksOf,
  memberPlot,
  type NodeMeasure,
  nodePlot,
  OF_MEMBERS,
  OF_NODES,
  RANGES,
} from "./series";
import { words } from "./strings";

// The library that draws it is large: fetched when there is something to draw.
const Plot = lazy(() => import("./plot"));

const optionsOf = <T extends string>(list: readonly T[], label: Record<T, string>) =>
  list.map((value) => ({ value, label: label[value] }));

/** What servers and members used over time, anew with each minute. */
export function OverTime() {
  const [range, setRange] = useState<SamplesRange>("hour");
  const [of, setOf] = useState<"members" | "nodes">("nodes");
  const [ofMembers, setOfMembers] = useState<MemberMeasure>("memory");
  const [ofNodes, setOfNodes] = useState<NodeMeasure>("memory");
  const samples = useQuery({
    queryKey: [...keys.samples, of, range],
    queryFn: ({ signal }) => api.samples({ of, range }, signal),
    // The last minute is new each minute; longer spans change slowly.
    refetchInterval: range === "hour" ? 15_000 : 60_000,
    placeholderData: keepPreviousData,
  });
  const view = samples.data;
  const plot = useMemo(() => {
    if (view === undefined) return undefined;
    return of === "nodes" ? nodePlot(view, ofNodes) : memberPlot(view, ofMembers, "Others");
  }, [view, of, ofNodes, ofMembers]);
  const thresholds = useQuery(queries.thresholds()).data;
  const marks = useMemo(
    () => (view === undefined || of === "members" ? [] : marksOf(view, ofNodes, thresholds)),
    [view, of, ofNodes, thresholds],
  );
  const what = words.measure[of === "nodes" ? ofNodes : ofMembers];
  return (
    <div className="rounded-xl border border-line bg-surface p-4 shadow-card">
      <div className="mb-4 flex flex-wrap items-center gap-2">
        <Select
          label={words.whose.label}
          variant="chip"
          value={of}
          onChange={setOf}
          options={optionsOf(["nodes", "members"] as const, words.whose)}
        />
        {of === "nodes" ? (
          <Select
            label={words.measure.label}
            variant="chip"
            value={ofNodes}
            onChange={setOfNodes}
            options={optionsOf(Object.keys(OF_NODES) as NodeMeasure[], words.measure)}
          />
        ) : (
          <Select
            label={words.measure.label}
            variant="chip"
            value={ofMembers}
            onChange={setOfMembers}
            options={optionsOf(Object.keys(OF_MEMBERS) as MemberMeasure[], words.measure)}
          />
        )}
        <fieldset className="ml-auto flex rounded-md border border-line p-0.5">
          <legend className="sr-only">{words.range.label}</legend>
          {RANGES.map((value) => (
            <button
              key={value}
              type="button"
              aria-pressed={range === value}
              onClick={() => setRange(value)}
              className="rounded px-2 py-0.5 text-muted text-xs hover:text-ink aria-pressed:bg-pressed aria-pressed:text-ink"
            >
              {words.range[value]}
            </button>
          ))}
        </fieldset>
      </div>
      {samples.isError && view === undefined ? (
        <ErrorState error={samples.error} onRetry={() => void samples.refetch()} />
      ) : plot === undefined ? (
        <Skeleton className="h-72 rounded-lg" />
      ) : plot.series.length === 0 ? (
        <Empty icon={<ChartArea />} title={words.none} className="py-10">
          {words.noneText[of]}
        </Empty>
      ) : (
        <div className={cn(samples.isPlaceholderData && "opacity-60")}>
          <Suspense fallback={<Skeleton className="h-72 rounded-lg" />}>
            <Plot plot={plot} marks={marks} />
          </Suspense>
          <PlotTable plot={plot} marks={marks} what={what} />
        </div>
      )}
    </div>
  );
}
