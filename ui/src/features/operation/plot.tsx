import { useMemo } from "react";
import { Area, AreaChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { moment } from "@/lib/format";
import { OTHERS, type Plot as PlotOf } from "./series";
import { show } from "./show";

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
const REST = "var(--line-strong)";

/** Lines over time; the table below says the same. */
export default function Plot({ plot }: { plot: PlotOf }) {
  const now = Date.now();
  const rows = useMemo(
    () =>
      plot.times.map((at, n) => ({
        at,
        ...Object.fromEntries(plot.series.map((line) => [line.key, line.values[n] ?? null])),
      })),
    [plot],
  );
  const lines = plot.series.map((line, n) => ({
    ...line,
    color: line.key === OTHERS ? REST : (COLORS[n] ?? REST),
  }));
  const time = (at: unknown) => moment(String(at), now);
  return (
    <figure aria-hidden className="m-0">
      <div className="h-64 w-full">
        <ResponsiveContainer width="100%" height="100%">
          <AreaChart data={rows} margin={{ top: 8, right: 8, bottom: 0, left: 0 }} accessibilityLayer={false}>
            <CartesianGrid vertical={false} stroke="var(--line)" />
            <XAxis
              dataKey="at"
              tickFormatter={time}
              tickLine={false}
              axisLine={false}
              minTickGap={44}
              tick={{ fill: "var(--faint)", fontSize: 11 }}
            />
            <YAxis
              tickFormatter={(value) => show(Number(value), plot.unit)}
              width={64}
              tickLine={false}
              axisLine={false}
              tick={{ fill: "var(--faint)", fontSize: 11 }}
            />
            <Tooltip
              isAnimationActive={false}
              labelFormatter={time}
              formatter={(value, name) => [show(Number(value), plot.unit), String(name)]}
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
            {lines.map((line) => (
              <Area
                key={line.key}
                type="linear"
                dataKey={line.key}
                name={line.name}
                {...(plot.adds ? { stackId: "all" } : {})}
                stroke={line.color}
                strokeWidth={1.5}
                fill={line.color}
                fillOpacity={plot.adds ? 0.35 : 0.08}
                connectNulls={false}
                isAnimationActive={false}
              />
            ))}
          </AreaChart>
        </ResponsiveContainer>
      </div>
      <figcaption className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-muted text-xs">
        {lines.map((line) => (
          <span key={line.key} className="flex min-w-0 items-center gap-1.5">
            <span className="size-2.5 shrink-0 rounded-xs" style={{ background: line.color }} />
            <span className="truncate">{line.name}</span>
          </span>
        ))}
      </figcaption>
    </figure>
  );
}
