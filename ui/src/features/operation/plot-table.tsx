import { headCell } from "@/components/ui/table";
import { moment } from "@/lib/format";
import type { Mark, Plot } from "./series";
import { show, showMark } from "./show";
import { words } from "./strings";

const number = "num px-3 py-1.5 text-right whitespace-nowrap";

/** What a plot shows, in figures, the latest first, and from when on it is too much. */
export function PlotTable({ plot, marks, what }: { plot: Plot; marks: readonly Mark[]; what: string }) {
  const now = Date.now();
  const rows = plot.times.map((at, n) => ({ at, n })).reverse();
  const filled = rows.filter(({ n }) => plot.series.some((line) => (line.values[n] ?? 0) !== 0));
  return (
    <details className="mt-3 text-sm">
      <summary className="w-fit cursor-pointer rounded text-muted hover:text-ink">{words.table}</summary>
      <p className="mt-2 text-faint text-xs">
        {[words.mean, ...marks.map((mark) => `${showMark(mark, plot.unit)}.`)].join(" ")}
      </p>
      <section
        aria-label={words.tableOf(what)}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        className="mt-2 max-h-80 overflow-auto rounded-lg border border-line scroll-thin"
      >
        <table className="w-full border-collapse">
          <caption className="sr-only">{words.tableOf(what)}</caption>
          <thead className="sticky top-0 bg-surface">
            <tr className="border-line border-b text-left">
              <th scope="col" className={headCell}>
                {words.time}
              </th>
              {plot.series.map((line) => (
                <th key={line.key} scope="col" className={`${headCell} text-right`}>
                  {line.name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr className="border-line border-b font-medium">
              <th scope="row" className="px-3 py-1.5 text-left font-medium">
                {words.highest}
              </th>
              {plot.series.map((line) => (
                <td key={line.key} className={number}>
                  {show(line.highest, plot.unit)}
                </td>
              ))}
            </tr>
            {filled.map(({ at, n }) => (
              <tr key={at} className="border-line border-b last:border-0">
                <th scope="row" className="whitespace-nowrap px-3 py-1.5 text-left font-normal">
                  {moment(at, now)}
                </th>
                {plot.series.map((line) => {
                  const value = line.values[n] ?? null;
                  return (
                    <td key={line.key} className={number}>
                      {value === null ? "–" : show(value, plot.unit)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
