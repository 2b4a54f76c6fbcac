import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { queries, useFeature, useMembers } from "@/api/queries";
import type { LiveRun, QueueItem } from "@/api/types";
import { Avatar } from "@/components/ui/avatar";
import { useAsides } from "@/features/attention";
import { reason } from "@/features/auto/moment";
import { AsideLink, StopAside } from "./asides";
import { agents as words } from "./strings";

/** Rows that are shown; the rest is on the boards. */
const MOST = 50;

/** What waits in all projects, of everybody, with place and reason. */
export function Queue({ names }: { names: Map<string, string> }) {
  const items = useQuery({ ...queries.teamQueue(), refetchInterval: 30_000 }).data ?? [];
  const members = useMembers().data;
  const asides = useAsides();
  const byId = useMemo(() => new Map(members?.map((member) => [member.id, member])), [members]);
  if (items.length === 0) return null;
  return (
    <section aria-labelledby="queue" className="mt-10">
      <div className="mb-2 flex items-baseline gap-2 px-1">
        <h2 id="queue" className="font-semibold text-base">
          {words.queue}
        </h2>
        <span className="num text-faint text-xs">{items.length}</span>
        <p className="hidden text-faint text-xs sm:block">{words.queueLead}</p>
      </div>
      <ol className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface shadow-card">
        {items.slice(0, MOST).map((item) => (
          <Row
            key={item.featureId}
            item={item}
            project={names.get(item.projectId) ?? ""}
            member={byId.get(item.memberId)}
            aside={item.kind === "card" ? undefined : asides.find((run) => run.runId === item.runId)}
          />
        ))}
      </ol>
      {items.length > MOST && (
        <p className="mt-2 px-1 text-faint text-xs">{words.more(items.length - MOST)}</p>
      )}
    </section>
  );
}

function Row({
  item,
  project,
  member,
  aside,
}: {
  item: QueueItem;
  project: string;
  member: { id: string; name: string; avatar: string | null } | undefined;
  /** The chat or the task that waits. */
  aside: LiveRun | undefined;
}) {
  const card = useFeature(item.featureId).data;
  return (
    <li className="relative flex items-start gap-3 px-4 py-2.5 text-sm hover:bg-hover">
      <span
        className="num w-7 shrink-0 text-right text-faint"
        title={item.position === null ? undefined : words.position(item.position)}
      >
        {item.position === null ? (
          <span aria-hidden>–</span>
        ) : (
          <>
            <span className="sr-only">{words.position(item.position)}</span>
            <span aria-hidden>{item.position}</span>
          </>
        )}
      </span>
      <div className="min-w-0 flex-1">
        <p className="font-medium">
          {aside ? (
            <AsideLink run={aside} />
          ) : (
            <Link
              to="/p/$projectId"
              params={{ projectId: item.projectId }}
              search={{ f: item.featureId }}
              className="outline-none after:absolute after:inset-0 focus-visible:underline"
            >
              {card?.title ?? project}
            </Link>
          )}{" "}
          <span className="num font-normal text-faint text-xs">
            {project} {card?.kind === "card" && `#${card.number}`}
          </span>
        </p>
        <p className="text-muted">{reason(item.waiting)}</p>
      </div>
      {member && (
        <span className="flex shrink-0 items-center gap-1.5 text-muted text-xs">
          <Avatar name={member.name} id={member.id} picture={member.avatar} size="sm" />
          <span className="hidden sm:inline">{member.name}</span>
          <span className="sr-only sm:hidden">{member.name}</span>
        </span>
      )}
      {aside && <StopAside run={aside} />}
    </li>
  );
}
