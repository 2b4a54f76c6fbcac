import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { BookOpen, GraduationCap, Lightbulb, type LucideIcon } from "lucide-react";
import { lazy, type MouseEvent, type ReactNode, Suspense } from "react";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import type { GuideUse, KnowledgeKind, KnowledgeReview } from "@/api/types";
import { Badge, type Tone } from "@/components/ui/badge";
import { pluralOf } from "@/features/knowledge/search";
import { cn } from "@/lib/cn";
import { s } from "../strings";
import { Section } from "./Section";

const ICONS: Record<KnowledgeKind, LucideIcon> = {
  blueprint: BookOpen,
  entry: GraduationCap,
  learning: Lightbulb,
};
const TakeBack = lazy(() => import("@/features/knowledge/take-back"));
const TONES: Record<KnowledgeReview, Tone> = { proposed: "amber", accepted: "green", rejected: "red" };

/** What the team's hub gave to a run, and what the run gave to the hub; nothing where there is neither. */
export function Knowledge({ runId }: { runId: string }) {
  const { data } = useQuery({ queryKey: keys.runGuide(runId), queryFn: () => api.runGuide(runId) });
  if (data === undefined || data.items.length + data.recorded.length === 0) return null;
  return (
    <Section title={s.overview.knowledge}>
      <ul className="overflow-hidden rounded-xl border border-line bg-surface shadow-card">
        {joined(data.items).map(({ item, ways }) => (
          <Item key={item.itemId} kind={item.kind} id={item.itemId} title={item.title}>
            <span className="text-faint text-xs">
              {ways.map((way) => s.overview.knowledgeWays[way]).join(", ")}
            </span>
          </Item>
        ))}
        {data.recorded.map((record) => (
          <Item key={`new-${record.itemId}`} kind={record.kind} id={record.itemId} title={record.title}>
            <span className="text-faint text-xs">{s.overview.recorded}</span>
            {record.deletedAt === null ? (
              <Badge tone={TONES[record.review]}>{s.overview.reviews[record.review]}</Badge>
            ) : (
              <Badge tone="grey">{s.overview.withdrawn}</Badge>
            )}
          </Item>
        ))}
      </ul>
      {data.recorded.length > 0 && (
        <Suspense>
          <TakeBack runId={runId} recorded={data.recorded.length} />
        </Suspense>
      )}
    </Section>
  );
}

/** Each item once, with every way by which the run came by it, in the order of the list. */
export function joined(items: GuideUse[]) {
  const all = new Map<string, { item: GuideUse; ways: GuideUse["way"][] }>();
  for (const item of items) {
    const before = all.get(item.itemId);
    if (before === undefined) all.set(item.itemId, { item, ways: [item.way] });
    else before.ways.push(item.way);
  }
  return [...all.values()];
}

function Item({
  kind,
  id,
  title,
  children,
}: {
  kind: KnowledgeKind;
  id: string;
  title: string;
  children: ReactNode;
}) {
  const router = useRouter();
  const Icon = ICONS[kind];
  const href = `/knowledge/${pluralOf(kind)}/${id}`;
  const open = (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    router.history.push(href);
  };
  return (
    <li className="border-line border-b last:border-b-0">
      <a
        href={href}
        onClick={open}
        className={cn(
          "-outline-offset-2 flex min-h-9 flex-wrap items-center gap-x-2.5 gap-y-0.5 px-3 py-1.5 text-sm",
          "hover:bg-hover",
        )}
      >
        <Icon
          role="img"
          aria-label={s.overview.knowledgeKinds[kind]}
          className="size-3.5 shrink-0 text-faint"
        />
        <span className="min-w-0 flex-1 basis-40 [overflow-wrap:anywhere]">{title}</span>
        {children}
      </a>
    </li>
  );
}
