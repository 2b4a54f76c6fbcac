import { useMembers } from "@/api/queries";
import type { FeatureCard } from "@/api/types";

/** Whose card it is, by name: who started its work, or else wrote it. */
export default function MemberName({ card }: { card: FeatureCard }) {
  const members = useMembers().data;
  const name = members?.find((member) => member.id === (card.startedBy ?? card.createdBy))?.name;
  if (name === undefined) return null;
  const deed = card.startedBy === null ? "Written by" : "Started by";
  return (
    <span title={`${deed} ${name}`} className="min-w-0 truncate">
      <span className="sr-only">{deed} </span>
      <span dir="auto">{name}</span>
    </span>
  );
}
