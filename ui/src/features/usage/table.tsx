import type { Sums, UsageView } from "@/api/types";
import { headCell, TableCard } from "@/components/ui/table";
import { count, exactMoney, money, shortCount } from "@/lib/format";
import { usage } from "./strings";
import { cacheShare, inputTokens } from "./sums";

const number = "num px-3 py-2 text-right whitespace-nowrap";

function Cells({ of }: { of: Sums }) {
  return (
    <>
      <td className={number}>{count(of.calls)}</td>
      <td className={number} title={count(inputTokens(of))}>
        {shortCount(inputTokens(of))}
      </td>
      <td className={number} title={count(of.outputTokens)}>
        {shortCount(of.outputTokens)}
      </td>
      <td className={number}>{cacheShare(of)}</td>
      <td className={number} title={exactMoney(of.costMicros)}>
        {of.unpricedCalls === of.calls && of.calls > 0 ? "?" : money(of.costMicros)}
      </td>
    </>
  );
}

/** The groups of an answer, the dearest first. */
export function UsageTable({ view }: { view: UsageView }) {
  return (
    <TableCard label={usage.tableBy[view.by]} caption={`${usage.by[view.by]}, ${view.from} – ${view.to}`}>
      <thead>
        <tr className="border-line border-b text-left">
          <th scope="col" className={headCell}>
            {usage.by[view.by]}
          </th>
          {[usage.calls, usage.input, usage.output, usage.cached, usage.cost].map((name) => (
            <th
              key={name}
              scope="col"
              className={`${headCell} text-right`}
              title={name === usage.cached ? usage.cachedHelp : undefined}
            >
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {view.groups.map((group) => (
          <tr key={group.key} className="border-line border-b last:border-0">
            <th scope="row" className="max-w-72 min-w-36 px-3 py-2 text-left font-normal">
              <span className="line-clamp-2">{group.label}</span>
              {group.of && <span className="block truncate text-faint text-xs">{group.of}</span>}
            </th>
            <Cells of={group} />
          </tr>
        ))}
        {view.others && (
          <tr className="border-line border-b text-muted last:border-0">
            <th scope="row" className="px-3 py-2 text-left font-normal">
              {usage.others}
            </th>
            <Cells of={view.others} />
          </tr>
        )}
      </tbody>
      <tfoot>
        <tr className="border-line border-t font-medium">
          <th scope="row" className="px-3 py-2 text-left">
            {usage.total}
          </th>
          <Cells of={view.total} />
        </tr>
      </tfoot>
    </TableCard>
  );
}

/** Day by day, for who does not see the chart. */
export function DayTable({ view }: { view: UsageView }) {
  return (
    <table className="sr-only">
      <caption>{usage.byDay(`${usage.cost}, ${usage.tokens}`)}</caption>
      <thead>
        <tr>
          <th scope="col">{usage.by.day}</th>
          <th scope="col">{usage.cost}</th>
          <th scope="col">{usage.input}</th>
          <th scope="col">{usage.output}</th>
        </tr>
      </thead>
      <tbody>
        {view.days
          .filter((day) => day.calls > 0)
          .map((day) => (
            <tr key={day.day}>
              <th scope="row">{day.day}</th>
              <td>{money(day.costMicros)}</td>
              <td>{count(inputTokens(day))}</td>
              <td>{count(day.outputTokens)}</td>
            </tr>
          ))}
      </tbody>
    </table>
  );
}
