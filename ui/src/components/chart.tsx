import type { ReactElement } from "react";
import { ResponsiveContainer } from "recharts";

/** One colour for each line or group that is told apart. */
export const COLORS = [
  "var(--accent)",
  "var(--blue)",
  "var(--violet)",
  "var(--amber)",
  "var(--green)",
  "var(--red)",
  "color-mix(in oklab, var(--accent) 55%, var(--ink))",
  "color-mix(in oklab, var(--violet) 50%, var(--canvas))",
];
/** The colour of all others. */
export const REST = "var(--line-strong)";

/** How both axes look. */
export const axis = {
  tickLine: false,
  axisLine: false,
  tick: { fill: "var(--faint)", fontSize: 11 },
} as const;

/** How what is told at the pointer looks, with what is most first. */
export const pointed = {
  isAnimationActive: false,
  itemSorter: (item: { value?: unknown }) => -Number(item.value),
  contentStyle: {
    background: "var(--raised)",
    border: "1px solid var(--line)",
    borderRadius: 8,
    fontSize: 12,
    color: "var(--ink)",
  },
  itemStyle: { color: "var(--ink)", padding: 0 },
} as const;

/** A chart with what its colours mean. A table says the same, so it is not read out. */
export function ChartFigure({
  parts,
  children,
}: {
  parts: { key: string; name: string; color: string }[];
  children: ReactElement;
}) {
  return (
    <figure aria-hidden className="m-0">
      <div className="h-64 w-full">
        <ResponsiveContainer width="100%" height="100%">
          {children}
        </ResponsiveContainer>
      </div>
      <figcaption className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-muted text-xs">
        {parts.map(({ key, name, color }) => (
          <span key={key} className="flex min-w-0 items-center gap-1.5">
            <span className="size-2.5 shrink-0 rounded-xs" style={{ background: color }} />
            <span className="truncate">{name}</span>
          </span>
        ))}
      </figcaption>
    </figure>
  );
}
