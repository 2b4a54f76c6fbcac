import { Play } from "lucide-react";
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from "react";
import { isLost } from "@/api/error";
import { useMay, useRuns } from "@/api/queries";
import type { Feature } from "@/api/types";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { TabPanel, Tabs } from "@/components/ui/tabs";
import { planWaits, useFeatureAction } from "@/features/actions";
import { useReadOfCard } from "@/features/notifications/use-read";
import { t } from "@/strings";
import { CheckMark } from "./checks/CheckMark";
import { ChecksTab } from "./checks/ChecksTab";
import { Header } from "./header/Header";
import { Level } from "./level";
import { kept } from "./lib/kept";
import { LiveTab } from "./live/LiveTab";
import { OverviewTab } from "./overview/OverviewTab";
import { firstTab, type TabName, usePlace } from "./place";
import { SayBox } from "./SayBox";
import { DiffSkeleton, TimelineSkeleton } from "./Skeletons";
import { s } from "./strings";
import { useFixMessage } from "./useFixMessage";

// The largest part, and for many looks not needed: fetched when it is shown, or when there is time.
const loadChanges = () => import("./changes/ChangesTab");
const ParkedNotice = lazy(() => import("@/features/usage/parked"));
const RefusedNotice = lazy(() => import("@/features/projects/settings/refused-notice"));
const ServicesTab = lazy(() =>
  import("./services/ServicesTab").then((module) => ({ default: module.ServicesTab })),
);
const TerminalTab = lazy(() =>
  import("./services/TerminalTab").then((module) => ({ default: module.TerminalTab })),
);
const PlanTab = lazy(() => import("./plan/PlanTab").then((module) => ({ default: module.PlanTab })));
const ChangesTab = lazy(() => loadChanges().then((module) => ({ default: module.ChangesTab })));

/** The view of a feature that is there. */
export function Loaded({ feature, layout }: { feature: Feature; layout: "side" | "page" }) {
  const mayBuild = useMay("build");
  const runs = useRuns(feature.id);
  const [place, go] = usePlace();
  useReadOfCard(feature.id);
  // Chosen once: a tab must not change under the reader because the card moved on.
  const [usual] = useState(() => firstTab(feature));
  const [focus, setFocus] = useState(0);
  const asked = place.tab ?? (place.run === undefined ? usual : "live");
  const waits = planWaits(feature);
  const start = useFeatureAction("start");
  const fixMessage = useFixMessage(feature);

  useEffect(() => {
    const timer = setTimeout(() => void loadChanges(), 1_500);
    return () => clearTimeout(timer);
  }, []);

  const latest = runs.data?.[0];
  const { refetch } = runs;
  const newest = useRef(latest?.id);
  useEffect(() => {
    // A new run closes the ones before it.
    if (newest.current !== undefined && latest !== undefined && newest.current !== latest.id) void refetch();
    newest.current = latest?.id;
  }, [latest, refetch]);
  const planned = latest !== undefined && (latest.approval !== "not_needed" || latest.plan.length > 0);
  const worked = latest !== undefined && latest.baseCommit !== null;
  const tab = asked === "plan" && !planned && !runs.isPending ? "live" : asked;
  const run = place.run === undefined ? latest : runs.data?.find((entry) => entry.id === place.run);
  const prefill = (message: string) => {
    const draft = kept.draft(feature.id);
    if (!draft.get().includes(message)) {
      draft.set((now) => (now.trim() === "" ? message : `${now.trimEnd()}\n\n${message}`));
    }
    setFocus((count) => count + 1);
  };

  const toLive = () => go({ tab: "live", run: undefined, turn: undefined });

  const startButton = feature.status === "backlog" && mayBuild && (
    <Button
      variant="primary"
      busy={start.isPending}
      onClick={() => start.mutate({ id: feature.id }, { onSuccess: () => go({ tab: "live" }) })}
    >
      <Play /> {t.action.start}
    </Button>
  );
  const body = (content: ReactNode, skeleton: ReactNode) =>
    isLost(runs) ? (
      <ErrorState error={runs.error} onRetry={() => void runs.refetch()} />
    ) : runs.isPending ? (
      skeleton
    ) : (
      content
    );

  // What runs in a terminal goes on while somebody looks at another tab.
  const [sawTerminal, setSawTerminal] = useState(false);
  if (tab === "terminal" && !sawTerminal) setSawTerminal(true);

  return (
    <Level value={layout === "page" ? "h2" : "h3"}>
      <article
        aria-label={feature.title}
        className="@container flex h-full min-h-0 flex-col bg-canvas short:overflow-y-auto"
      >
        <Header
          feature={feature}
          run={latest}
          mayBuild={mayBuild}
          layout={layout}
          go={go}
          onAskFix={() => void fixMessage().then(prefill)}
          onPrefill={prefill}
        />
        {/* As far from the edge as the header. */}
        <div className={layout === "page" ? "@3xl:px-2" : undefined}>
          {latest?.parkedFor && feature.status === "queued" && (
            <Suspense fallback={null}>
              <ParkedNotice run={latest} />
            </Suspense>
          )}
          {latest !== undefined && feature.status !== "completed" && feature.status !== "backlog" && (
            <Suspense fallback={null}>
              <RefusedNotice run={latest} />
            </Suspense>
          )}
          {waits && tab !== "plan" && (
            <div className="mx-4 mb-2 flex items-center gap-3 rounded-lg bg-amber-soft px-3 py-1.5 text-amber text-sm">
              <span className="flex-1">{s.plan.waits}</span>
              <Button size="sm" onClick={() => go({ tab: "plan", run: undefined, turn: undefined })}>
                {s.plan.look}
              </Button>
            </div>
          )}
        </div>
        <Tabs<TabName>
          value={tab}
          onChange={(next) => go({ tab: next, turn: undefined })}
          // On a short screen the head scrolls away, and this with the field below it fills the rest.
          className="flex min-h-0 flex-1 flex-col short:min-h-[calc(100%-3.25rem)] short:shrink-0"
          listClassName={layout === "page" ? "px-2 @3xl:px-4" : "px-2"}
          tabs={[
            {
              value: "live",
              label: s.tabs.live,
              badge: feature.status === "in_progress" && !waits && <LiveDot />,
            },
            ...(planned || tab === "plan"
              ? [{ value: "plan" as const, label: s.tabs.plan, badge: waits && <WaitDot /> }]
              : []),
            {
              value: "changes",
              label: s.tabs.changes,
              badge: feature.filesChanged > 0 && (
                <span className="num rounded-full bg-grey-soft px-1.5 text-2xs text-muted">
                  {feature.filesChanged}
                </span>
              ),
            },
            { value: "checks", label: s.tabs.checks, badge: <CheckMark run={latest} /> },
            ...(worked || tab === "services" ? [{ value: "services" as const, label: s.tabs.services }] : []),
            ...(worked || tab === "terminal" ? [{ value: "terminal" as const, label: s.tabs.terminal }] : []),
            { value: "overview", label: s.tabs.overview },
          ]}
        >
          <TabPanel value="live" className="min-h-0 flex-1">
            {body(
              <LiveTab
                feature={feature}
                run={run}
                latest={run === latest}
                turn={place.turn}
                go={go}
                action={startButton}
              />,
              <TimelineSkeleton />,
            )}
          </TabPanel>
          <TabPanel value="plan" className="min-h-0 flex-1">
            {body(
              <Suspense fallback={<TimelineSkeleton />}>
                {latest && <PlanTab feature={feature} run={latest} mayBuild={mayBuild} />}
              </Suspense>,
              <TimelineSkeleton />,
            )}
          </TabPanel>
          <TabPanel value="changes" className="min-h-0 flex-1">
            {body(
              <Suspense fallback={<DiffSkeleton />}>
                <ChangesTab
                  feature={feature}
                  run={latest}
                  mayBuild={mayBuild}
                  action={startButton}
                  onSent={toLive}
                />
              </Suspense>,
              <DiffSkeleton />,
            )}
          </TabPanel>
          <TabPanel value="checks" className="min-h-0 flex-1">
            {body(<ChecksTab feature={feature} run={latest} mayBuild={mayBuild} />, null)}
          </TabPanel>
          <TabPanel value="services" className="min-h-0 flex-1">
            {body(
              <Suspense fallback={<TimelineSkeleton />}>
                <ServicesTab run={run} />
              </Suspense>,
              <TimelineSkeleton />,
            )}
          </TabPanel>
          <TabPanel value="terminal" kept={sawTerminal} className="min-h-0 flex-1">
            {body(
              <Suspense fallback={<TimelineSkeleton />}>
                <TerminalTab run={latest} />
              </Suspense>,
              <TimelineSkeleton />,
            )}
          </TabPanel>
          <TabPanel value="overview" className="min-h-0 flex-1">
            <OverviewTab feature={feature} runs={runs.data} go={go} />
          </TabPanel>
        </Tabs>
        {/* Sending a plan back says the same, with the plan in sight. */}
        {!(waits && tab === "plan" && mayBuild) && (
          <SayBox feature={feature} mayBuild={mayBuild} focus={focus} onSent={toLive} />
        )}
      </article>
    </Level>
  );
}

/** A light that says: a person is asked for. */
function WaitDot() {
  return <span aria-hidden className="size-1.5 rounded-full bg-amber" />;
}

/** A light that says: an agent is at work. */
function LiveDot() {
  return <span aria-hidden className="size-1.5 animate-pulse-soft rounded-full bg-blue" />;
}
