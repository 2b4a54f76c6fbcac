import { useMemo } from "react";
import { Bar, BarChart, CartesianGrid, Tooltip, XAxis, YAxis } from "recharts";
import type { UsageView } from "@/api/types";
import { axis, ChartFigure, COLORS, pointed, REST } from "@/components/chart";
import { money, shortCount } from "@/lib/format";
import { usage } from "./strings";
import { totalTokens } from "./sums";

export type Measure = "cost" | "tokens";

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
    ...groups.map((group, n) => ({ key: group.key, name: group.label, color: COLORS[n] ?? REST })),
    {
      key: usage.others,
      name: groups.length === 0 ? usage.total : usage.others,
      color: groups.length === 0 ? "var(--accent)" : REST,
    },
  ].filter(({ key }) =>
    rows.some(
      (row) =>
        (row as Record<string, unknown>)[key] !== undefined &&
        Number((row as Record<string, unknown>)[key]) > 0,
    ),
  );
  return (
    <ChartFigure parts={series}>
      <BarChart data={rows} margin={{ top: 8, right: 4, bottom: 0, left: 0 }} accessibilityLayer={false}>
        <CartesianGrid vertical={false} stroke="var(--line)" />
        <XAxis dataKey="day" tickFormatter={dayLabel} minTickGap={28} {...axis} />
        <YAxis tickFormatter={show} width={58} {...axis} />
        <Tooltip
          cursor={{ fill: "var(--hover)" }}
          labelFormatter={(day) => dayLabel(String(day))}
          formatter={(value, name) => [show(Number(value)), String(name)]}
          {...pointed}
        />
        {series.map(({ key, name, color }) => (
          <Bar
            key={key}
            dataKey={(row: Record<string, number>) => row[key] ?? 0}
            name={name}
            stackId="all"
            fill={color}
            maxBarSize={40}
            isAnimationActive={false}
          />
        ))}
      </BarChart>
    </ChartFigure>
  );
}
