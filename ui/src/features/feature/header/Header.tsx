import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useState } from "react";
import type { Feature, Run } from "@/api/types";
import { StatusBadge } from "@/components/status";
import { Badge } from "@/components/ui/badge";
import { cn } from "@/lib/cn";
import type { Place } from "../place";
import { Actions } from "./Actions";
import { Facts } from "./Facts";
import { ProblemBanner } from "./ProblemBanner";
import { Title } from "./Title";
import { Waits } from "./Waits";

const MergeDialog = lazy(() =>
  import("../merge/MergeDialog").then((module) => ({ default: module.MergeDialog })),
);

/** What it is, how it stands, and what can be done now. */
export function Header({
  feature,
  run,
  mayBuild,
  layout,
  go,
  onAskFix,
  onPrefill,
}: {
  feature: Feature;
  /** The latest run. */
  run: Run | undefined;
  mayBuild: boolean;
  layout: "side" | "page";
  go: (place: Place) => void;
  onAskFix: () => void;
  onPrefill: (message: string) => void;
}) {
  const navigate = useNavigate();
  const [merging, setMerging] = useState(false);
  // Once opened, it stays, so that it closes with its motion.
  const [asked, setAsked] = useState(false);
  return (
    <header className={cn("flex flex-col gap-2 px-4 pt-3 pb-2", layout === "page" && "@3xl:px-6 @3xl:pt-5")}>
      <div
        className={cn(
          "flex min-h-7 flex-wrap items-center gap-x-2 gap-y-1.5",
          // The panel's own buttons stand at the end of this row.
          layout === "side" && "pr-14 pointer-coarse:pr-18",
        )}
      >
        {feature.kind === "card" && (
          <span className="num font-mono text-faint text-xs">#{feature.number}</span>
        )}
        <StatusBadge status={feature.status} stage={feature.stage} />
        {feature.category !== "" && (
          <Badge tone="outline" className="hidden max-w-32 truncate @lg:inline-block">
            {feature.category}
          </Badge>
        )}
        <Actions
          feature={feature}
          mayBuild={mayBuild}
          layout={layout}
          go={go}
          onMerge={() => {
            setAsked(true);
            setMerging(true);
          }}
          onDeleted={() => {
            if (layout === "page") {
              void navigate({ to: "/p/$projectId", params: { projectId: feature.projectId } });
            } else {
              void navigate({
                to: ".",
                search: ((before: Record<string, unknown>) => ({
                  ...before,
                  f: undefined,
                  tab: undefined,
                  run: undefined,
                  turn: undefined,
                })) as never,
              });
            }
          }}
        />
      </div>
      <Title
        feature={feature}
        mayEdit={mayBuild && feature.kind === "card"}
        as={layout === "page" ? "h1" : "h2"}
      />
      <Facts feature={feature} run={run} />
      <Waits feature={feature} />
      <ProblemBanner
        feature={feature}
        mayBuild={mayBuild}
        onSeeChecks={() => go({ tab: "checks", run: undefined, turn: undefined })}
        onAskFix={onAskFix}
      />
      {asked && (
        <Suspense>
          <MergeDialog
            feature={feature}
            run={run}
            open={merging}
            onOpenChange={setMerging}
            onAsk={(message) => {
              setMerging(false);
              onPrefill(message);
            }}
          />
        </Suspense>
      )}
    </header>
  );
}
