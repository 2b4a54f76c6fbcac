import { History } from "lucide-react";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { useProject } from "@/api/queries";
import type { Feature, FeatureText, Run } from "@/api/types";
import { CopyCode } from "@/components/copy-code";
import { Markdown } from "@/components/markdown";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { exactMoney } from "@/lib/format";
import { Time } from "@/lib/time";
import * as words from "@/strings";
import { useModelName } from "../header/Facts";
import { TaskList } from "../live/Plan";
import type { Place } from "../place";
import { s } from "../strings";
import { Attachments } from "./Attachments";
import { Dependencies } from "./Dependencies";
import { Knowledge } from "./Knowledge";
import { Runs } from "./Runs";
import { Section } from "./Section";
import { useTexts } from "./texts";

// Looked at now and then.
const Texts = lazy(() => import("./Texts"));

/** What is to be built, how, and what was tried so far. */
export function OverviewTab({
  feature,
  runs,
  go,
}: {
  feature: Feature;
  runs: Run[] | undefined;
  go: (place: Place, options?: { push?: boolean }) => void;
}) {
  const plan = runs?.[0]?.plan ?? [];
  const texts = useTexts(feature).data ?? [];
  return (
    <div className="h-full overflow-y-auto scroll-thin">
      <div className="mx-auto grid max-w-6xl gap-x-10 gap-y-6 p-4 @3xl:grid-cols-[minmax(0,1fr)_16rem] @3xl:px-6 @3xl:py-5">
        <div className="flex min-w-0 flex-col gap-6">
          <Section
            title={s.overview.description}
            action={texts.length > 1 && <Former feature={feature} texts={texts} />}
          >
            {feature.description.trim() === "" ? (
              <p className="text-faint text-sm">{s.overview.noDescription}</p>
            ) : (
              <Markdown text={feature.description} />
            )}
            <Attachments featureId={feature.id} />
          </Section>
          {feature.summary && (
            <Section title={s.overview.summary}>
              <Markdown text={feature.summary} />
            </Section>
          )}
          {plan.length > 0 && (
            <Section title={s.overview.plan}>
              <TaskList tasks={plan} />
            </Section>
          )}
          {runs?.[0] && <Knowledge runId={runs[0].id} />}
          {feature.dependencies.length > 0 && <Dependencies feature={feature} />}
          <Section title={s.overview.history}>
            <Runs runs={runs} texts={texts} go={go} />
          </Section>
        </div>
        <Settings feature={feature} run={runs?.[0]} />
      </div>
    </div>
  );
}

/** The way to what the card said before. */
function Former({ feature, texts }: { feature: Feature; texts: FeatureText[] }) {
  const [open, setOpen] = useState(false);
  // The window stays while it closes.
  const [opened, setOpened] = useState(false);
  return (
    <>
      <Button
        size="sm"
        variant="ghost"
        onClick={() => {
          setOpened(true);
          setOpen(true);
        }}
      >
        <History /> {s.overview.texts.history(texts.length)}
      </Button>
      {opened && (
        <Suspense>
          <Texts feature={feature} texts={texts} open={open} onOpenChange={setOpen} />
        </Suspense>
      )}
    </>
  );
}

function Settings({ feature, run }: { feature: Feature; run: Run | undefined }) {
  const project = useProject(feature.projectId).data;
  const chosen = useModelName(feature.model);
  const byDefault = useModelName(project?.settings.defaultModel);
  const branch = feature.branch || run?.branch;
  return (
    <Section title={s.overview.settings}>
      <dl className="grid grid-cols-[6rem_minmax(0,1fr)] gap-x-3 gap-y-1.5 text-sm">
        <Row name={s.overview.model}>
          {chosen ?? s.overview.modelDefault}
          {chosen === null && byDefault && <span className="text-faint"> ({byDefault})</span>}
        </Row>
        <Row name={s.overview.planning}>
          {words.planning[feature.planningMode].label}
          {feature.requirePlanApproval && <span className="text-faint"> ({s.overview.approval})</span>}
        </Row>
        <Row name={s.overview.thinking}>{words.thinking[feature.thinkingLevel]}</Row>
        <Row name={s.overview.branch}>
          {branch ? (
            <CopyCode value={branch} label={s.overview.copyBranch} />
          ) : (
            <span className="text-faint">{s.overview.branchDefault}</span>
          )}
        </Row>
        <Row name={s.overview.priority}>{words.priority[feature.priority] ?? feature.priority}</Row>
        <Row name={s.overview.category}>
          {feature.category === "" ? (
            <span className="text-faint">{s.overview.noCategory}</span>
          ) : (
            <Badge tone="outline">{feature.category}</Badge>
          )}
        </Row>
        <Row name={s.overview.checks}>
          {feature.skipVerification ? s.overview.checksOff : s.overview.checksOn}
        </Row>
        <Row name={s.overview.look}>
          {feature.needsApproval ? (
            s.overview.lookAlways
          ) : (
            <span className="text-faint">{s.overview.lookByProject}</span>
          )}
        </Row>
        <Row name={s.overview.budget}>
          {feature.budgetMicros == null ? (
            <span className="text-faint">{s.overview.budgetDefault}</span>
          ) : (
            <span className="num">{s.overview.budgetOf(exactMoney(feature.budgetMicros))}</span>
          )}
        </Row>
        <Row name={s.overview.written}>
          <Time at={feature.createdAt} />
        </Row>
      </dl>
    </Section>
  );
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="contents">
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </div>
  );
}
