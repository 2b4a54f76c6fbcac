import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useProjects } from "@/api/queries";
import type { NotBegun, Outcome, Report, ReportCard } from "@/api/types";
import { Badge } from "@/components/ui/badge";
import { reason } from "@/features/auto/moment";
import { KeyLink } from "@/features/settings/keys/key-link";
import { count, duration, exactMoney, moment, money, sentence, shortCount } from "@/lib/format";
import { reports as words } from "./strings";

/** Cards that are shown at once; what needs somebody comes first. */
const MOST = 12;

const tone: Record<Outcome, "green" | "red" | "amber" | "grey" | "accent"> = {
  merged: "green",
  verified: "green",
  "waits-for-approval": "amber",
  "waits-for-plan": "amber",
  failed: "red",
  stopped: "grey",
  "under-way": "accent",
  "waits-for-provider": "grey",
  "waits-for-budget": "amber",
  "waits-for-dependencies": "amber",
  "waits-for-server": "grey",
  rests: "grey",
};

const now = () => Date.now();
/** How long somebody worked; milliseconds are of no interest in the morning. */
const worked = (ms: number) => (ms > 0 && ms < 1_000 ? "< 1 s" : duration(ms));

/** From when to when, and why it was made then. */
export function spanOf(report: Report): string {
  return words.span(moment(report.from, now()), moment(report.until, now()));
}

/** A report, to be read in ten seconds: the numbers, then the cards, what needs somebody first. */
export function ReportBody({ report }: { report: Report }) {
  const { total, forecasts, pauses, cards, notBegun } = report;
  const left = notBegun.reduce((sum, group) => sum + group.count, 0);
  const projects = useProjects().data ?? [];
  const name = (id: string) => projects.find((project) => project.id === id)?.name ?? "";
  return (
    <div className="flex flex-col gap-3">
      <dl className="num grid grid-cols-2 gap-x-6 gap-y-2 sm:flex sm:flex-wrap">
        <Figure value={count(report.built)} name={words.built(report.built)}>
          {report.merged > 0 && words.merged(report.merged)}
        </Figure>
        <Figure value={count(report.waiting)} name={words.waiting(report.waiting)}>
          {report.failed > 0 && words.failed(report.failed)}
        </Figure>
        {report.underWay > 0 && <Figure value={count(report.underWay)} name={words.underWay} />}
        {left > 0 && <Figure value={count(left)} name={words.notBegun} />}
        <Figure value={worked(total.workedMs)} name={words.worked} />
        <Figure value={money(total.costMicros)} name={words.cost} title={exactMoney(total.costMicros)}>
          {words.tokens(shortCount(total.tokens))}
        </Figure>
      </dl>
      {pauses.map((pause) => (
        <p key={pause.message} className="rounded-lg bg-amber-soft px-3 py-2 text-sm">
          {pause.message} {pause.hint}
        </p>
      ))}
      <Cards cards={cards.slice(0, MOST)} name={name} />
      {cards.length > MOST && (
        <details>
          <summary className="cursor-pointer px-1 text-accent-text text-sm">
            {words.others(cards.length - MOST)}
          </summary>
          <div className="mt-2">
            <Cards cards={cards.slice(MOST)} name={name} />
          </div>
        </details>
      )}
      <Left groups={notBegun} name={name} />
      <div className="num flex flex-col gap-0.5 px-1 text-muted text-xs empty:hidden">
        {(total.providerMs > 0 || total.restMs > 0) && (
          <p>
            {total.providerMs > 0 && words.waits.provider(duration(total.providerMs))}{" "}
            {total.restMs > 0 && words.waits.rest(duration(total.restMs))}
          </p>
        )}
        {forecasts.map(({ projectId, forecast: { estimate }, done, costMicros }) =>
          estimate === null ? null : (
            <p key={projectId}>
              {words.compared(
                name(projectId),
                words.expected(estimate.done.median, estimate.done.low, estimate.done.high),
                done,
                money(costMicros),
                money(estimate.costMicros.median),
              )}
            </p>
          ),
        )}
      </div>
    </div>
  );
}

function Figure({
  value,
  name,
  title,
  children,
}: {
  value: string;
  name: string;
  title?: string;
  children?: ReactNode;
}) {
  return (
    <div className="flex flex-col-reverse justify-end" title={title}>
      <dt className="text-muted text-xs">
        {name}
        {children && <span className="text-faint"> · {children}</span>}
      </dt>
      <dd className="font-semibold text-lg leading-tight">{value}</dd>
    </div>
  );
}

/** What did not begin, and why: what waits for the same is together. */
function Left({ groups, name }: { groups: NotBegun[]; name: (id: string) => string }) {
  if (groups.length === 0) return null;
  return (
    <ul className="divide-y divide-line overflow-hidden rounded-lg border border-line">
      {groups.map((group) => (
        <li key={`${group.projectId} ${group.waiting.message}`} className="px-3 py-2 text-sm">
          <p className="font-medium">{words.didNotBegin(group.count, name(group.projectId))}</p>
          <p className="text-muted">{reason(group.waiting)}</p>
          <p className="num flex flex-wrap gap-x-3 text-faint text-xs">
            {group.cards.map((card) => (
              <Link
                key={card.featureId}
                to="/p/$projectId"
                params={{ projectId: group.projectId }}
                search={{ f: card.featureId }}
                className="max-w-60 truncate hover:underline focus-visible:underline"
              >
                #{card.number} {card.title}
              </Link>
            ))}
            {group.count > group.cards.length && (
              <span>{words.andMore(group.count - group.cards.length)}</span>
            )}
          </p>
        </li>
      ))}
    </ul>
  );
}

function Cards({ cards, name }: { cards: ReportCard[]; name: (id: string) => string }) {
  if (cards.length === 0) return null;
  return (
    <ul className="divide-y divide-line overflow-hidden rounded-lg border border-line">
      {cards.map((card) => (
        <li
          key={card.runId}
          className="relative flex flex-wrap items-baseline gap-x-3 gap-y-1 px-3 py-2 text-sm hover:bg-hover"
        >
          <span className="shrink-0 sm:w-40">
            <Badge tone={tone[card.outcome]}>{words.outcome[card.outcome]}</Badge>
          </span>
          <div className="min-w-48 flex-1">
            <p dir="auto" className="font-medium [overflow-wrap:anywhere]">
              <Link
                to="/p/$projectId"
                params={{ projectId: card.projectId }}
                search={{ f: card.featureId }}
                className="outline-none after:absolute after:inset-0 focus-visible:underline"
              >
                {card.title}
              </Link>
            </p>
            {card.changedNothing && <p className="text-muted">{words.changedNothing}</p>}
            {(card.problem || card.reason) && (
              <p className={card.problem ? "text-red" : "text-muted"}>
                {card.problem ? sentence(card.problem.message) : card.reason}{" "}
                <KeyLink code={card.problem?.code} />
              </p>
            )}
            {card.next && (
              <p className="text-muted">
                {card.next} {card.until && words.until(moment(card.until, now()))}
              </p>
            )}
          </div>
          <p className="num flex gap-3 text-faint text-xs">
            <span className="max-w-40 truncate">
              {name(card.projectId)} #{card.number}
            </span>
            <span>{worked(card.workedMs)}</span>
            <span title={exactMoney(card.costMicros)}>{money(card.costMicros)}</span>
          </p>
        </li>
      ))}
    </ul>
  );
}
