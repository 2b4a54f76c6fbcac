import { BookText, Lightbulb, type LucideIcon, Ruler } from "lucide-react";
import { Badge, type Tone } from "@/components/ui/badge";
import { cn } from "@/lib/cn";
import * as labels from "./labels";
import type { BlueprintStatus, Item, Kind, Review } from "./types";

const ICONS: Record<Kind, { icon: LucideIcon; color: string }> = {
  blueprint: { icon: Ruler, color: "text-blue" },
  entry: { icon: BookText, color: "text-accent-text" },
  learning: { icon: Lightbulb, color: "text-amber" },
};

/** The sign of a kind, with its name for screen readers and by hover. */
export function KindIcon({ kind, className }: { kind: Kind; className?: string }) {
  return (
    <>
      <KindSign kind={kind} {...(className === undefined ? {} : { className })} />
      <span className="sr-only">{labels.kindName[kind].one}: </span>
    </>
  );
}

/** The same beside words that name the kind. */
export function KindSign({ kind, className }: { kind: Kind; className?: string }) {
  const { icon: Icon, color } = ICONS[kind];
  return (
    <span
      aria-hidden
      title={labels.kindName[kind].one}
      className={cn("inline-flex size-4 shrink-0", className)}
    >
      <Icon className={cn("size-full", color)} />
    </span>
  );
}

/** Category of a blueprint, type of an entry or a learning, in words. */
export function typeName(kind: Kind, type: string): string {
  const names: Record<string, string> =
    kind === "blueprint" ? labels.category : kind === "entry" ? labels.entryType : labels.learningType;
  return names[type] ?? type;
}

const TONES: Record<Review, Tone> = { proposed: "amber", accepted: "green", rejected: "red" };

/** Whether the team takes a learning for true. */
export function ReviewBadge({ review }: { review: Review }) {
  return <Badge tone={TONES[review]}>{labels.review[review]}</Badge>;
}

/** Whether agents are given a blueprint. */
export function StatusBadge({ status }: { status: BlueprintStatus }) {
  return (
    <Badge tone={status === "active" ? "green" : status === "draft" ? "grey" : "outline"}>
      {labels.status[status]}
    </Badge>
  );
}

/** Where an item stands: the status of a blueprint, the review of a learning. */
export function Standing({ item }: { item: Item }) {
  if (item.kind === "blueprint") return <StatusBadge status={item.status} />;
  return item.kind === "learning" ? <ReviewBadge review={item.review} /> : null;
}
