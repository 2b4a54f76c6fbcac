import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Hourglass } from "lucide-react";
import { useMemo } from "react";
import { queries, useFeature, useMe, useMembers, useModels } from "@/api/queries";
import type { LiveRun, QueueItem } from "@/api/types";
import { Avatar } from "@/components/ui/avatar";
import { useAsides } from "@/features/attention";
import { reason } from "@/features/auto/moment";
import { KeyLink } from "@/features/settings/keys/key-link";
import { AsideLink, StopAside } from "./asides";
import { agents as words } from "./strings";

/** Rows that are shown; the rest is on the boards. */
const MOST = 50;

/** What keeps a card until somebody does something. The other reasons go by themselves as the work goes on. */
const STAYS: readonly QueueItem["waiting"]["code"][] = ["plan", "paused", "budget", "footing", "hindered"];

/** What waits in all projects, of everybody: in the order in which it begins, and apart from that what cannot begin as it stands. */
export function Queue({ names }: { names: Map<string, string> }) {
  const items = useQuery({ ...queries.teamQueue(), refetchInterval: 30_000 }).data ?? [];
  const stays = (item: QueueItem) => item.position === null && STAYS.includes(item.waiting.code);
  return (
    <>
      <Group
        id="queue"
        title={words.queue}
        lead={words.queueLead}
        items={items.filter((item) => !stays(item))}
        names={names}
      />
      <Group
        id="cannot-begin"
        title={words.cannotBegin}
        lead={words.cannotBeginLead}
        items={items.filter(stays)}
        names={names}
      />
    </>
  );
}

function Group({
  id,
  title,
  lead,
  items,
  names,
}: {
  id: string;
  title: string;
  lead: string;
  items: QueueItem[];
  names: Map<string, string>;
}) {
  const members = useMembers().data;
  const asides = useAsides();
  const byId = useMemo(() => new Map(members?.map((member) => [member.id, member])), [members]);
  if (items.length === 0) return null;
  return (
    <section aria-labelledby={id} className="mt-10">
      <div className="mb-2 flex items-baseline gap-2 px-1">
        <h2 id={id} className="font-semibold text-base">
          {title}
        </h2>
        <span className="num text-faint text-xs">{items.length}</span>
        <p className="hidden text-faint text-xs sm:block">{lead}</p>
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
      {item.position === null ? (
        <Hourglass aria-hidden className="mt-0.5 ml-3 size-4 shrink-0 text-faint" />
      ) : (
        <span className="num w-7 shrink-0 text-right text-faint" title={words.position(item.position)}>
          <span className="sr-only">{words.position(item.position)}</span>
          <span aria-hidden>{item.position}</span>
        </span>
      )}
      <div className="min-w-0 flex-1">
        <p dir="auto" className="font-medium">
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
        <p className="text-muted">
          {reason(item.waiting)} <Way item={item} />
        </p>
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

/** Where whoever looks can let it begin. */
function Way({ item }: { item: QueueItem }) {
  const me = useMe().data?.id;
  const models = useModels().data?.items;
  if (item.waiting.code === "hindered") {
    const keyless = models?.every((model) => !model.usable || model.simulated) ?? false;
    return item.memberId === me && keyless ? <KeyLink code="no-key" /> : null;
  }
  if (item.waiting.code !== "plan") return null;
  return (
    <Link
      to="/p/$projectId"
      params={{ projectId: item.projectId }}
      search={{ f: item.featureId }}
      className="relative z-10 text-accent-text underline underline-offset-2"
    >
      {words.lookAtPlan}
    </Link>
  );
}
