import { useMemo } from "react";
import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import type { UsageView } from "@/api/types";
import { money, shortCount } from "@/lib/format";
import { usage } from "./strings";
import { totalTokens } from "./sums";

export type Measure = "cost" | "tokens";

/** One colour for each of the groups that are told day by day; the last is for all others. */
const COLORS = [
  "var(--accent)",
  "var(--blue)",
  "var(--violet)",
  "var(--amber)",
  "var(--green)",
  "var(--red)",
  "color-mix(in oklch, var(--accent) 55%, var(--ink))",
  "color-mix(in oklch, var(--violet) 50%, var(--canvas))",
];
const OTHERS = "var(--line-strong)";

const dayLabel = (day: string) =>
  new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone: "UTC" }).format(
    new Date(`${day}T00:00:00Z`),
  );

/** What each day took, stacked by the groups that took most. The table below says the same. */
export default function Chart({ view, measure }: { view: UsageView; measure: Measure }) {
  const groups = view.by === "day" ? [] : view.groups.slice(0, COLORS.length);
  const rows = useMemo(() => {
    const value = (of: Parameters<typeof totalTokens>[0] & { costMicros: number }) =>
      measure === "cost" ? of.costMicros / 1_000_000 : totalTokens(of);
    return view.days.map((day) => {
      const parts = Object.fromEntries(day.parts.map((part) => [part.key, value(part)]));
      const told = Object.values(parts).reduce((sum, part) => sum + part, 0);
      return { day: day.day, ...parts, [usage.others]: Math.max(0, value(day) - told) };
    });
  }, [view, measure]);
  const show = (value: number) =>
    measure === "cost" ? money(Math.round(value * 1_000_000)) : shortCount(value);
  const series = [
    ...groups.map((group, n) => ({ key: group.key, label: group.label, color: COLORS[n] ?? OTHERS })),
    {
      key: usage.others,
      label: groups.length === 0 ? usage.total : usage.others,
      color: groups.length === 0 ? "var(--accent)" : OTHERS,
    },
  ].filter(({ key }) =>
    rows.some(
      (row) =>
        (row as Record<string, unknown>)[key] !== undefined &&
        Number((row as Record<string, unknown>)[key]) > 0,
    ),
  );
  return (
    <figure aria-hidden className="m-0">
      <div className="h-64 w-full">
        <ResponsiveContainer width="100%" height="100%">
          <BarChart data={rows} margin={{ top: 8, right: 4, bottom: 0, left: 0 }} accessibilityLayer={false}>
            <CartesianGrid vertical={false} stroke="var(--line)" />
            <XAxis
              dataKey="day"
              tickFormatter={dayLabel}
              tickLine={false}
              axisLine={false}
              minTickGap={28}
              tick={{ fill: "var(--faint)", fontSize: 11 }}
            />
            <YAxis
              tickFormatter={show}
              width={58}
              tickLine={false}
              axisLine={false}
              tick={{ fill: "var(--faint)", fontSize: 11 }}
            />
            <Tooltip
              cursor={{ fill: "var(--hover)" }}
              isAnimationActive={false}
              labelFormatter={(day) => dayLabel(String(day))}
              formatter={(value, name) => [show(Number(value)), String(name)]}
              itemSorter={(item) => -Number(item.value)}
              contentStyle={{
                background: "var(--raised)",
                border: "1px solid var(--line)",
                borderRadius: 8,
                fontSize: 12,
                color: "var(--ink)",
              }}
              itemStyle={{ color: "var(--ink)", padding: 0 }}
            />
            {series.map(({ key, label, color }) => (
              <Bar
                key={key}
                dataKey={(row: Record<string, number>) => row[key] ?? 0}
                name={label}
                stackId="all"
                fill={color}
                maxBarSize={40}
                isAnimationActive={false}
              />
            ))}
          </BarChart>
        </ResponsiveContainer>
      </div>
      <figcaption className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-muted text-xs">
        {series.map(({ key, label, color }) => (
          <span key={key} className="flex min-w-0 items-center gap-1.5">
            <span className="size-2.5 shrink-0 rounded-xs" style={{ background: color }} />
            <span className="truncate">{label}</span>
          </span>
        ))}
      </figcaption>
    </figure>
  );
}
