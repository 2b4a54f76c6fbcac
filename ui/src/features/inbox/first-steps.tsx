import { Link } from "@tanstack/react-router";
import { BookOpen, Check, KeyRound, SquareKanban } from "lucide-react";
import type { ReactNode } from "react";
import { useMay, useMe, useModels } from "@/api/queries";
import type { ProjectListItem } from "@/api/types";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { persistent } from "@/lib/persistent";
import { firstSteps as words } from "./strings";

/** So long after they joined, a member who has begun nothing is new. */
const NEW_MS = 14 * 24 * 60 * 60 * 1000;
const hidden = persistent<boolean>("guildhall.first-steps.hidden", false);

/** What a member does first: a key, a card, and what the team knows. Later only that a key is missing, as nothing begins without. */
export default function FirstSteps({
  begun,
  projects,
}: {
  /** The member has cards at work, or that wait for them. */
  begun: boolean;
  projects: ProjectListItem[];
}) {
  const me = useMe().data;
  const mayKeepKeys = useMay("keys");
  const models = useModels().data;
  const away = hidden.use();
  if (me === undefined || models === undefined) return null;
  const hasKey = models.items.some((model) => model.usable && !model.simulated);
  const isNew = Date.now() - Date.parse(me.createdAt) < NEW_MS;
  const project = projects.find((one) => one.status === "ready");
  if (!isNew || away || begun) {
    return hasKey || !mayKeepKeys || away ? null : (
      <p className="mb-6 flex flex-wrap items-center gap-x-3 gap-y-2 rounded-lg bg-amber-soft px-3 py-2 text-sm">
        <KeyRound aria-hidden className="size-4 shrink-0 text-amber" />
        <span className="min-w-48 flex-1">{words.noKey}</span>
        <Button size="sm" render={<Link to="/settings" hash="keys" />}>
          {words.addKey}
        </Button>
      </p>
    );
  }
  return (
    <section
      aria-labelledby="first-steps"
      className="mb-8 rounded-xl border border-line bg-surface p-4 shadow-card"
    >
      <div className="mb-3 flex items-start gap-3">
        <div className="min-w-0 flex-1">
          <h2 id="first-steps" className="font-semibold text-base">
            {words.title(me.name)}
          </h2>
          <p className="text-muted text-sm">{words.lead}</p>
        </div>
        <Button size="sm" variant="ghost" onClick={() => hidden.set(true)}>
          {words.hide}
        </Button>
      </div>
      <ol className="grid gap-2 sm:grid-cols-3">
        {mayKeepKeys && (
          <Step icon={<KeyRound />} done={hasKey} title={words.key.title} text={words.key.text}>
            {!hasKey && (
              <Button size="sm" variant="primary" render={<Link to="/settings" hash="keys" />}>
                {words.addKey}
              </Button>
            )}
          </Step>
        )}
        <Step icon={<SquareKanban />} done={false} title={words.card.title} text={words.card.text}>
          {project && (
            <Button
              size="sm"
              variant={hasKey ? "primary" : "secondary"}
              className="max-w-full"
              render={<Link to="/p/$projectId" params={{ projectId: project.id }} />}
            >
              <span className="truncate">{words.openBoard(project.name)}</span>
            </Button>
          )}
        </Step>
        <Step icon={<BookOpen />} done={false} title={words.hub.title} text={words.hub.text}>
          <Button size="sm" render={<Link to="/knowledge" />}>
            {words.openHub}
          </Button>
        </Step>
      </ol>
    </section>
  );
}

function Step({
  icon,
  done,
  title,
  text,
  children,
}: {
  icon: ReactNode;
  done: boolean;
  title: string;
  text: string;
  children: ReactNode;
}) {
  return (
    <li className="flex min-w-0 flex-col gap-1 rounded-lg border border-line p-3 text-sm">
      <span
        className={cn(
          "flex items-center gap-2 font-medium [&>svg]:size-4 [&>svg]:shrink-0",
          done ? "[&>svg]:text-green" : "[&>svg]:text-faint",
        )}
      >
        {done ? <Check aria-hidden /> : icon}
        {title}
        {done && <span className="sr-only"> ({words.done})</span>}
      </span>
      <span className="text-muted">{text}</span>
      <span className="mt-auto pt-2 empty:hidden">{children}</span>
    </li>
  );
}
