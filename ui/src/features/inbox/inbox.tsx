import { Link, useNavigate } from "@tanstack/react-router";
import { Bell, FlaskConical, Inbox as InboxIcon } from "lucide-react";
import { lazy, type ReactNode, Suspense, useMemo } from "react";
import { useMay, useUnread } from "@/api/queries";
import type { FeatureCard } from "@/api/types";
import { Page } from "@/components/page";
import { Empty, ErrorState, Partly } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Segments } from "@/components/ui/segments";
import { Skeleton } from "@/components/ui/skeleton";
import { type Need, needOf, useActiveWork, useMine } from "@/features/attention";
import { plural } from "@/lib/format";
import { useHotkeys } from "@/lib/hotkeys";
import { persistent } from "@/lib/persistent";
import { t } from "@/strings";
import { inboxRows, Row } from "./row";

const FirstSteps = lazy(() => import("./first-steps"));
const LatestReport = lazy(() => import("@/features/reports/latest"));

/** Whose cards are looked at. */
type Whose = "mine" | "all";

const GROUPS: { status: Need; title: string; mine?: string; lead: string }[] = [
  {
    status: "waiting_approval",
    title: "Waiting for approval",
    mine: "Waiting for your approval",
    lead: "Look at the changes, then verify or merge.",
  },
  {
    status: "plan_approval",
    title: "Plans to approve",
    lead: "No file is changed before somebody says yes.",
  },
  {
    status: "failed",
    title: "Failed",
    lead: "Each says why, and what helps.",
  },
  {
    status: "verified",
    title: "Ready to merge",
    lead: "Checked and agreed.",
  },
  {
    status: "paused",
    title: "Paused",
    lead: "Stopped by somebody; they go on from the last saved turn.",
  },
];
/** So many rows of a group are shown; the rest is on the board. */
const MOST = 50;

/** What was looked at last; the member's own at first. */
const chosen = persistent<Whose>("guildhall.inbox.whose", "mine");

/** What the night brought, and what needs somebody: the member's own cards, or everybody's. */
export function Inbox() {
  const { attention: all, working: busy, projects, pending, error, refetch } = useActiveWork();
  const mine = useMine(all);
  const ownBusy = useMine(busy);
  const others = all.length > mine.length || busy.length > ownBusy.length;
  const mayBuild = useMay("build");
  const choice = chosen.use();
  // Nothing waits for who only looks; and alone, all is one's own.
  const whose: Whose = others && mayBuild ? choice : "all";
  const own = whose === "mine" || !others;
  const [attention, working] = whose === "mine" ? [mine, ownBusy] : [all, busy];
  const names = useMemo(() => new Map(projects.map((project) => [project.id, project.name])), [projects]);
  const navigate = useNavigate();
  const mayRun = useMay("run");
  const step = (by: number) => {
    const rows = inboxRows();
    const at = rows.indexOf(document.activeElement as HTMLElement);
    rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
  };
  useHotkeys({ j: () => step(1), k: () => step(-1), arrowdown: () => step(1), arrowup: () => step(-1) });

  if (error !== null && projects.length === 0) return <ErrorState error={error} onRetry={refetch} />;
  const atWork = working.filter((card) => card.status === "in_progress").length;
  return (
    <Page
      title="Inbox"
      lead={pending || error !== null ? " " : headline(attention, atWork, working.length - atWork, own)}
      actions={
        <>
          {!pending && others && mayBuild && (
            <Segments<Whose>
              label="Whose cards"
              value={whose}
              onChange={chosen.set}
              options={[
                { value: "mine", label: "Mine", count: mine.length },
                { value: "all", label: "Everybody’s", count: all.length },
              ]}
            />
          )}
          <BellLink />
        </>
      }
    >
      {mayRun && (
        <Suspense>
          <LatestReport />
        </Suspense>
      )}
      {error !== null && <Partly error={error} onRetry={refetch} />}
      {mayRun && !pending && projects.length > 0 && (
        <Suspense>
          <FirstSteps begun={mine.length + ownBusy.length > 0} projects={projects} />
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
        error === null && (
          <Empty
            icon={<InboxIcon />}
            title={own ? "Nothing needs you" : "Nothing needs anybody"}
            action={
              whose === "mine" &&
              all.length > 0 && (
                <Button onClick={() => chosen.set("all")}>
                  Look at {plural(all.length, "card")} of others
                </Button>
              )
            }
          >
            {working.length > 0 ? (
              <>
                {plural(working.length, "card")} {own && others ? "of yours " : ""}under way. See{" "}
                <TextLink to="/agents">the agents at work</TextLink>.
              </>
            ) : (
              "Start a card on a board: its result comes here."
            )}
          </Empty>
        )
      ) : (
        <div className="flex flex-col gap-8">
          {GROUPS.map((group) => {
            const cards = attention.filter((card) => needOf(card) === group.status);
            if (cards.length === 0) return null;
            return (
              <section key={group.status} aria-labelledby={`inbox-${group.status}`}>
                <div className="mb-2 flex items-baseline gap-2 px-1">
                  <h2 id={`inbox-${group.status}`} className="font-semibold text-base">
                    {(own ? group.mine : undefined) ?? group.title}
                  </h2>
                  <span className="num text-faint text-xs">{cards.length}</span>
                  <p className="hidden text-faint text-xs sm:block">{group.lead}</p>
                </div>
                <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface shadow-card">
                  {cards.slice(0, MOST).map((card) => (
                    <Row
                      key={card.id}
                      card={card}
                      project={names.get(card.projectId) ?? ""}
                      everybody={!own}
                    />
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

/** What waits, in a sentence. Only of one's own cards is it said that they wait for the member. */
export function headline(attention: FeatureCard[], atWork: number, queued: number, own: boolean): string {
  const number = (need: Need) => attention.filter((card) => needOf(card) === need).length;
  const parts: string[] = [];
  const say = (value: number, words: string) => value > 0 && parts.push(`${value} ${words}`);
  say(number("waiting_approval"), own ? "waiting for you" : "waiting for approval");
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
