import { Link, useNavigate } from "@tanstack/react-router";
import { Bell, CircleCheckBig, FlaskConical, GitMerge, Inbox as InboxIcon, RotateCcw } from "lucide-react";
import { lazy, type ReactNode, Suspense, useMemo } from "react";
import { useMay, useUnread } from "@/api/queries";
import type { FeatureCard } from "@/api/types";
import { DiffSize } from "@/components/diff-size";
import { Page } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { StatusIcon } from "@/components/status";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { planWaits, useFeatureAction } from "@/features/actions";
import { type Need, needOf, useActiveWork } from "@/features/attention";
import { exactMoney, money, plural } from "@/lib/format";
import { useHotkeys } from "@/lib/hotkeys";
import { Time } from "@/lib/time";
import { t } from "@/strings";

const LatestReport = lazy(() => import("@/features/reports/latest"));

const GROUPS: { status: Need; title: string; lead: string }[] = [
  {
    status: "waiting_approval",
    title: "Waiting for your approval",
    lead: "Look at the changes, then verify or merge.",
  },
  {
    status: "plan_approval",
    title: "Plans to approve",
    lead: "No file is changed before you say yes.",
  },
  { status: "failed", title: "Failed", lead: "Each says why, and what helps." },
  { status: "verified", title: "Ready to merge", lead: "Checked and agreed." },
  { status: "paused", title: "Paused", lead: "Stopped by somebody; they go on from the last saved turn." },
];
/** So many rows of a group are shown; the rest is on the board. */
const MOST = 50;

/** What the night brought, and what needs somebody. */
export function Inbox() {
  const { attention, working, projects, pending, error, refetch } = useActiveWork();
  const names = useMemo(() => new Map(projects.map((project) => [project.id, project.name])), [projects]);
  const navigate = useNavigate();
  const mayRun = useMay("run");
  const rows = () => [...document.querySelectorAll<HTMLElement>("[data-inbox-row]")];
  const step = (by: number) => {
    const all = rows();
    const at = all.indexOf(document.activeElement as HTMLElement);
    all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))]?.focus();
  };
  useHotkeys({ j: () => step(1), k: () => step(-1), arrowdown: () => step(1), arrowup: () => step(-1) });

  if (error !== null && projects.length === 0) return <ErrorState error={error} onRetry={refetch} />;
  const atWork = working.filter((card) => card.status === "in_progress").length;
  return (
    <Page
      title="Inbox"
      lead={pending ? " " : headline(attention, atWork, working.length - atWork)}
      actions={<BellLink />}
    >
      {mayRun && (
        <Suspense>
          <LatestReport />
        </Suspense>
      )}
      {pending ? (
        <div className="flex flex-col gap-2">
          <Skeleton className="mb-1 h-5 w-48" />
          {[0, 1, 2, 3].map((n) => (
            <Skeleton key={n} className="h-15 rounded-lg" />
          ))}
        </div>
      ) : projects.length === 0 ? (
        <Empty
          icon={<FlaskConical />}
          title="Begin with a project"
          action={
            <Button variant="primary" onClick={() => void navigate({ to: "/projects" })}>
              Choose a project
            </Button>
          }
        >
          Finished work, failures and questions of the agents gather here. First they need something to work
          on: the sample project, or a repository of yours.
        </Empty>
      ) : attention.length === 0 ? (
        <Empty icon={<InboxIcon />} title="Nothing needs you">
          {working.length > 0 ? (
            <>
              {plural(working.length, "card")} under way. See{" "}
              <TextLink to="/agents">the agents at work</TextLink>.
            </>
          ) : (
            "Start a card on a board: its result comes here."
          )}
        </Empty>
      ) : (
        <div className="flex flex-col gap-8">
          {GROUPS.map((group) => {
            const cards = attention.filter((card) => needOf(card) === group.status);
            if (cards.length === 0) return null;
            return (
              <section key={group.status} aria-labelledby={`inbox-${group.status}`}>
                <div className="mb-2 flex items-baseline gap-2 px-1">
                  <h2 id={`inbox-${group.status}`} className="font-semibold text-base">
                    {group.title}
                  </h2>
                  <span className="num text-faint text-xs">{cards.length}</span>
                  <p className="hidden text-faint text-xs sm:block">{group.lead}</p>
                </div>
                <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface shadow-card">
                  {cards.slice(0, MOST).map((card) => (
                    <Row key={card.id} card={card} project={names.get(card.projectId) ?? ""} />
                  ))}
                </ul>
                {cards.length > MOST && (
                  <p className="mt-2 px-1 text-faint text-xs">
                    And {plural(cards.length - MOST, "other")}, on their boards.
                  </p>
                )}
              </section>
            );
          })}
        </div>
      )}
    </Page>
  );
}

function headline(attention: FeatureCard[], atWork: number, queued: number): string {
  const number = (need: Need) => attention.filter((card) => needOf(card) === need).length;
  const parts: string[] = [];
  const say = (value: number, words: string) => value > 0 && parts.push(`${value} ${words}`);
  say(number("waiting_approval"), "waiting for you");
  say(number("plan_approval"), "with a plan to approve");
  say(number("failed"), "failed");
  say(number("verified"), "ready to merge");
  say(atWork, "at work");
  say(queued, "queued");
  return parts.length === 0 ? "All quiet." : `${parts.join(", ")}.`;
}

/** The way to the notifications where there is no sidebar. */
function BellLink() {
  const unread = useUnread();
  return (
    <Link
      to="/notifications"
      className="relative flex size-9 items-center justify-center rounded-md border border-line bg-surface text-muted hover:bg-hover hover:text-ink md:hidden"
    >
      <Bell aria-hidden className="size-4.5" />
      <span className="sr-only">
        {t.nav.notifications}
        {unread > 0 && `, ${unread} unread`}
      </span>
      {unread > 0 && (
        <span
          aria-hidden
          className="num absolute -top-1.5 -right-1.5 rounded-full bg-accent px-1 font-semibold text-[0.625rem] text-accent-ink leading-4"
        >
          {unread > 99 ? "99+" : unread}
        </span>
      )}
    </Link>
  );
}

function TextLink({ to, children }: { to: "/agents"; children: ReactNode }) {
  return (
    <Link to={to} className="text-accent-text underline underline-offset-2">
      {children}
    </Link>
  );
}

function Row({ card, project }: { card: FeatureCard; project: string }) {
  return (
    <li className="group relative flex items-start gap-3 px-4 py-3 hover:bg-hover has-[[data-inbox-row]:focus-visible]:bg-hover">
      <StatusIcon status={planWaits(card) ? "waiting_approval" : card.status} className="mt-0.5" />
      <div className="min-w-0 flex-1">
        <h3 className="font-medium text-sm">
          <Link
            to="/p/$projectId"
            params={{ projectId: card.projectId }}
            search={{ f: card.id }}
            data-inbox-row=""
            className="outline-none after:absolute after:inset-0 focus-visible:underline"
          >
            {card.title}
          </Link>
        </h3>
        <p className="num mt-0.5 flex flex-wrap items-center gap-x-2 text-faint text-xs">
          <span>
            {project} #{card.number}
          </span>
          <Time at={card.finishedAt ?? card.updatedAt} />
          {card.costMicros > 0 && <span title={exactMoney(card.costMicros)}>{money(card.costMicros)}</span>}
          <DiffSize files={card.filesChanged} added={card.linesAdded} removed={card.linesRemoved} />
        </p>
        {card.error && (
          <p className="mt-1 text-sm">
            <span className={card.status === "failed" ? "text-red" : "text-amber"}>{card.error.message}</span>{" "}
            {card.error.hint && <span className="text-muted">{card.error.hint}</span>}
          </p>
        )}
      </div>
      <NextStep card={card} />
    </li>
  );
}

/** The button that matters now. */
function NextStep({ card }: { card: FeatureCard }) {
  const mayBuild = useMay("build");
  const verify = useFeatureAction("verify");
  const retry = useFeatureAction("retry");
  const navigate = useNavigate();
  if (!mayBuild) return null;
  const open = () =>
    void navigate({ to: "/p/$projectId", params: { projectId: card.projectId }, search: { f: card.id } });
  switch (needOf(card)) {
    case "plan_approval":
      return (
        <Button size="sm" className="relative" onClick={open}>
          Look
        </Button>
      );
    case "waiting_approval":
      return card.error ? (
        <Button size="sm" className="relative" onClick={open}>
          Look
        </Button>
      ) : (
        <Button
          size="sm"
          className="relative"
          busy={verify.isPending}
          onClick={() => verify.mutate({ id: card.id })}
        >
          <CircleCheckBig /> Verify
        </Button>
      );
    case "verified":
      return (
        <Button size="sm" className="relative" onClick={open}>
          <GitMerge /> Merge…
        </Button>
      );
    default:
      return (
        <Button
          size="sm"
          className="relative"
          busy={retry.isPending}
          onClick={() => retry.mutate({ id: card.id })}
        >
          <RotateCcw /> {card.status === "failed" ? "Retry" : "Resume"}
        </Button>
      );
  }
}
