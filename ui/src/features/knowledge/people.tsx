import { Link } from "@tanstack/react-router";
import { useFeature, useMembers, useRun } from "@/api/queries";
import { Avatar } from "@/components/ui/avatar";
import { Time } from "@/lib/time";
import { words } from "./strings";
import type { Item, Origin } from "./types";

/** The name of a member, whoever they were. */
export function useName(): (id: string | null | undefined) => string {
  const members = useMembers().data;
  return (id) => members?.find((member) => member.id === id)?.name ?? words.somebody;
}

function Face({ id }: { id: string }) {
  const member = useMembers().data?.find((entry) => entry.id === id);
  if (member === undefined) return null;
  return (
    <Avatar name={member.name} id={id} picture={member.avatar} size="sm" className="mr-1 align-text-bottom" />
  );
}

const WROTE: Record<Origin, string> = {
  member: words.item.wroteIt,
  agent: words.item.agentWrote,
  token: words.item.tokenWrote,
};

/** Who brought it into the hub and when, and where it comes from; as the server says. */
export function Attribution({ item }: { item: Item }) {
  const name = useName();
  return (
    <span className="flex flex-wrap items-baseline gap-x-1.5">
      <span>
        <Face id={item.createdBy} />
        {WROTE[item.origin]} <span className="font-medium text-ink">{name(item.createdBy)}</span>
      </span>
      <Source item={item} />
      <span>
        · <Time at={item.createdAt} />
      </span>
      {item.version > 1 && (
        <span>
          · {words.item.changedBy} {name(item.updatedBy)}, <Time at={item.updatedAt} />
        </span>
      )}
    </span>
  );
}

/** The card and the run in which it was found. */
export function Source({ item }: { item: Pick<Item, "sourceFeatureId" | "sourceRunId"> }) {
  const { sourceFeatureId, sourceRunId } = item;
  if (sourceFeatureId === null) return null;
  return (
    <span>
      {words.item.onCard} <CardLink featureId={sourceFeatureId} runId={sourceRunId} />
    </span>
  );
}

/** Leads to a card, and to a run of it if there is one. */
export function CardLink({ featureId, runId }: { featureId: string; runId: string | null }) {
  const feature = useFeature(featureId).data;
  return (
    <Link
      to="/f/$featureId"
      params={{ featureId }}
      search={(runId === null ? {} : { tab: "live", run: runId }) as never}
      className="rounded text-accent-text underline-offset-2 hover:underline"
    >
      {feature === undefined ? words.item.run : `#${feature.number} ${feature.title}`}
    </Link>
  );
}

/** Leads to a run, by its card. */
export function RunLink({ runId }: { runId: string }) {
  const run = useRun(runId).data;
  return run === undefined ? words.item.run : <CardLink featureId={run.featureId} runId={runId} />;
}
