import { useMembers, useProjects } from "@/api/queries";
import type { DiskReport } from "@/api/types";
import { Section } from "@/components/page";
import { Badge } from "@/components/ui/badge";
import { headCell, TableCard } from "@/components/ui/table";
import { bytes } from "@/lib/format";
import { Time } from "@/lib/time";
import { d } from "./strings";
import { type Holding, holdings, type Worktree } from "./sums";
import { WorkName } from "./work-name";

/** What each member's work takes of the disk, card by card. */
export function ByMember({ report }: { report: DiskReport }) {
  const members = useMembers().data;
  const all = holdings(report);
  const name = (holding: Holding) =>
    holding.memberId === null
      ? d.shared
      : (members?.find((member) => member.id === holding.memberId)?.name ?? d.gone);
  return (
    <Section id="members" title={d.byMember} lead={d.byMemberLead}>
      {all.length === 0 ? (
        <p className="text-muted text-sm">{d.none}</p>
      ) : (
        <TableCard label={d.byMemberTable} caption={d.byMember}>
          <thead>
            <tr className="border-line border-b text-left">
              <th scope="col" className={headCell}>
                {d.col.what}
              </th>
              <th scope="col" className={headCell}>
                {d.col.project}
              </th>
              <th scope="col" className={headCell}>
                {d.col.unused}
              </th>
              <th scope="col" className={`${headCell} text-right`}>
                {d.col.size}
              </th>
            </tr>
          </thead>
          {all.map((holding) => (
            <tbody key={holding.memberId ?? "shared"} className="border-line border-b last:border-0">
              <tr className="bg-hover">
                <th scope="rowgroup" colSpan={3} className="px-3 py-2 text-left font-semibold">
                  {name(holding)}
                </th>
                <td className="num px-3 py-2 text-right font-semibold">{bytes(holding.bytes)}</td>
              </tr>
              {holding.worktrees.map((worktree) => (
                <WorktreeRow key={worktree.runId} worktree={worktree} />
              ))}
              {holding.caches.map((cache) => (
                <tr key={cache.projectId}>
                  <th scope="row" className="px-3 py-2 text-left font-normal text-muted">
                    {d.cachesOf}
                  </th>
                  <td className="px-3 py-2">
                    <ProjectName id={cache.projectId} />
                  </td>
                  <td />
                  <td className="num px-3 py-2 text-right">{bytes(cache.bytes)}</td>
                </tr>
              ))}
            </tbody>
          ))}
        </TableCard>
      )}
    </Section>
  );
}

function WorktreeRow({ worktree }: { worktree: Worktree }) {
  return (
    <tr>
      <th scope="row" className="min-w-44 max-w-80 px-3 py-2 text-left font-normal">
        <WorkName worktree={worktree} className="line-clamp-2" />
        {worktree.inUse !== "nobody" && <Badge tone="blue">{d.inUse[worktree.inUse]}</Badge>}
        {worktree.unsaved && (
          <>
            <Badge tone="red">{d.unsaved}</Badge>
            <span className="block break-words text-red text-xs">{worktree.unsaved}</span>
          </>
        )}
      </th>
      <td className="px-3 py-2">
        <ProjectName id={worktree.projectId} />
      </td>
      <td className="whitespace-nowrap px-3 py-2 text-muted">
        <Time at={worktree.unusedSince} />
      </td>
      <td className="num whitespace-nowrap px-3 py-2 text-right">{bytes(worktree.bytes)}</td>
    </tr>
  );
}

function ProjectName({ id }: { id: string }) {
  const project = useProjects().data?.find((one) => one.id === id);
  return <span className="text-muted">{project?.name ?? d.noProject}</span>;
}
