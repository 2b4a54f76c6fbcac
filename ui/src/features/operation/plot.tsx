import { useMemo } from "react";
import { Area, AreaChart, CartesianGrid, ReferenceLine, Tooltip, XAxis, YAxis } from "recharts";
import { axis, ChartFigure, COLORS, pointed, REST } from "@/components/chart";
import { moment } from "@/lib/format";
import { type Mark, marksNear, OTHERS, type Plot as PlotOf } from "./series";
import { show, showMark } from "./show";

const MARKED = { critical: "var(--red)", warning: "var(--amber)" } as const;

/** Lines over time; the table below says the same. */
export default function Plot({ plot, marks }: { plot: PlotOf; marks: readonly Mark[] }) {
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
    <ChartFigure parts={lines}>
      <AreaChart data={rows} margin={{ top: 8, right: 8, bottom: 0, left: 0 }} accessibilityLayer={false}>
        <CartesianGrid vertical={false} stroke="var(--line)" />
        <XAxis dataKey="at" tickFormatter={time} minTickGap={44} {...axis} />
        <YAxis tickFormatter={(value) => show(Number(value), plot.unit)} width={64} {...axis} />
        <Tooltip
          labelFormatter={time}
          formatter={(value, name) => [show(Number(value), plot.unit), String(name)]}
          {...pointed}
        />
        {marksNear(plot, marks).map((mark) => (
          <ReferenceLine
            key={mark.level}
            y={mark.value}
            stroke={MARKED[mark.level]}
            strokeDasharray="4 3"
            ifOverflow="extendDomain"
            label={{
              value: showMark(mark, plot.unit),
              position: "insideBottomLeft",
              fill: "var(--muted)",
              fontSize: 11,
            }}
          />
        ))}
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
    </ChartFigure>
  );
}
