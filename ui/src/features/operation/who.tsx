import { useMembers } from "@/api/queries";
import type { MemberNow } from "@/api/types";
import { Avatar } from "@/components/ui/avatar";
import { headCell, TableCard } from "@/components/ui/table";
import { count, exactMoney, money, shortCount } from "@/lib/format";
import { show, whole } from "./show";
import { words } from "./strings";

const number = "num px-3 py-2 text-right whitespace-nowrap";

/** What each member uses now. */
export function Who({ members }: { members: MemberNow[] }) {
  const known = useMembers().data;
  if (members.length === 0) return <p className="text-muted text-sm">{words.nobody}</p>;
  const counted = members.some((member) => member.memory !== null);
  return (
    <>
      <TableCard label={words.whoTable} caption={words.who}>
        <thead>
          <tr className="border-line border-b text-left">
            <th scope="col" className={headCell}>
              {words.col.member}
            </th>
            {(
              ["memory", "processors", "processes", "disk", "worktrees", "agents", "tokens", "cost"] as const
            ).map((name) => (
              <th key={name} scope="col" className={`${headCell} text-right`}>
                {words.col[name]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {members.map((member) => (
            <tr key={member.memberId} className="border-line border-b last:border-0">
              <th scope="row" className="min-w-36 max-w-60 px-3 py-2 text-left font-normal">
                <span className="flex min-w-0 items-center gap-2">
                  <Avatar
                    name={member.name}
                    id={member.memberId}
                    picture={known?.find((entry) => entry.id === member.memberId)?.avatar ?? null}
                    size="sm"
                  />
                  <span className="truncate">{member.name}</span>
                </span>
              </th>
              <td className={number}>{member.memory === null ? "–" : show(member.memory, "bytes")}</td>
              <td className={number}>{show(member.processors, "share")}</td>
              <td className={number}>{member.processes === null ? "–" : whole(member.processes)}</td>
              <td className={number}>{show(member.disk, "bytes")}</td>
              <td className={number}>{whole(member.worktrees)}</td>
              <td className={number}>{whole(member.agents)}</td>
              <td className={number} title={count(member.tokens)}>
                {shortCount(member.tokens)}
              </td>
              <td className={number} title={exactMoney(member.costMicros)}>
                {money(member.costMicros)}
              </td>
            </tr>
          ))}
        </tbody>
      </TableCard>
      {!counted && members.some((member) => member.agents > 0) && (
        <p className="mt-2 text-faint text-xs">{words.notCounted}</p>
      )}
    </>
  );
}
