import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import { queries } from "@/api/queries";
import type { Operation } from "@/api/types";
import { Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Skeleton } from "@/components/ui/skeleton";
import { levelOf } from "@/features/operation/level";
import { OverTime } from "@/features/operation/over-time";
import { OperationPage } from "@/features/operation/page";
import { Servers } from "@/features/operation/servers";
import { words } from "@/features/operation/strings";
import { Who } from "@/features/operation/who";
import { cn } from "@/lib/cn";
import { count, exactTime } from "@/lib/format";

/** What the servers have and who uses what, looked at again while the page is open. */
export default function OverviewPage() {
  const answer = useQuery({
    queryKey: keys.operation,
    queryFn: ({ signal }) => api.operation(signal),
    // As often as the server reads how it is.
    refetchInterval: 15_000,
  });
  const shown = answer.data;
  return (
    <OperationPage title={words.title} lead={words.lead}>
      {shown === undefined ? (
        answer.isError ? (
          <ErrorState error={answer.error} onRetry={() => void answer.refetch()} />
        ) : (
          <div aria-hidden className="flex flex-col gap-6">
            <Skeleton className="h-20 rounded-xl" />
            <Skeleton className="h-56 rounded-xl" />
            <Skeleton className="h-72 rounded-xl" />
          </div>
        )
      ) : (
        <>
          {answer.isError && (
            <p role="status" className="mb-4 text-amber text-sm">
              {words.stale} {exactTime(shown.at)}
            </p>
          )}
          <Now shown={shown} />
          <Section id="servers" title={words.servers}>
            <Servers nodes={shown.nodes} />
          </Section>
          <Section id="who" title={words.who} lead={words.whoLead}>
            <Who members={shown.members} />
          </Section>
          <Section id="over-time" title={words.over}>
            <OverTime />
          </Section>
        </>
      )}
    </OperationPage>
  );
}

function Now({ shown }: { shown: Operation }) {
  const thresholds = useQuery(queries.thresholds()).data;
  const each = shown.nodes.map((node) => (node.silent ? 0 : node.reading.providerFailures));
  const failures = each.reduce((sum, one) => sum + one, 0);
  // An alert looks at each server by itself.
  const level = levelOf(Math.max(0, ...each), thresholds?.apiFailures);
  const link = "underline underline-offset-2 hover:text-ink";
  return (
    <dl className="mb-8 grid grid-cols-2 gap-px overflow-hidden rounded-xl border border-line bg-line shadow-card sm:grid-cols-4">
      <Fact name={words.agents}>
        {words.agentsOf(count(shown.activeAgents), count(shown.limits.team.maxConcurrentFeatures))}{" "}
        <Link to="/settings" hash="limits" className={`font-normal text-muted text-xs ${link}`}>
          {words.limits}
        </Link>
      </Fact>
      <Fact name={words.queue}>{count(shown.queueDepth)}</Fact>
      <Fact name={words.failures} title={words.failuresHelp}>
        <span className={cn(level === "critical" && "text-red", level === "warning" && "text-amber")}>
          {count(failures)}
        </span>
      </Fact>
      <Fact name={words.commands}>
        <Link to="/operation/sandbox" className={shown.sandboxUsable ? link : `text-red ${link}`}>
          {shown.sandboxUsable ? words.canRun : words.cannotRun}
        </Link>
      </Fact>
    </dl>
  );
}

function Fact({ name, title, children }: { name: string; title?: string; children: React.ReactNode }) {
  return (
    <div className="bg-surface px-4 py-3" title={title}>
      <dt className="text-faint text-xs">{name}</dt>
      <dd className="num mt-0.5 font-semibold text-xl tracking-tight">{children}</dd>
    </div>
  );
}
