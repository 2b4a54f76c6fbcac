import { useQuery } from "@tanstack/react-query";
import {
  GitMerge,
  GitPullRequest,
  Link as LinkIcon,
  MoreHorizontal,
  Pencil,
  Play,
  RotateCcw,
  ShieldCheck,
  Square,
  Trash2,
  Undo2,
} from "lucide-react";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { useBoard } from "@/api/queries";
import type { Feature } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Menu, MenuItem, MenuSeparator } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { Tooltip } from "@/components/ui/tooltip";
import { actionsFor, type FeatureAction, useFeatureAction } from "@/features/actions";
import { dependents, LeftWaiting } from "@/features/dependents";
import { openEditor } from "@/features/editor/store";
import { remoteQuery } from "@/features/projects/remote";
import { useHotkeys } from "@/lib/hotkeys";
import { t } from "@/strings";
import { forgetKept } from "../lib/kept";
import { linkOf, type Place } from "../place";
import { s } from "../strings";
import { Merged } from "./Merged";
import { OfExecution } from "./OfExecution";
import { ToCard } from "./ToCard";

const Publish = lazy(() => import("./Publish"));

type Asking = "start" | "shelve" | "delete" | null;

/** The buttons that matter now, and a menu with the rest. */
export function Actions({
  feature,
  mayBuild,
  layout,
  go,
  onMerge,
  onDeleted,
}: {
  feature: Feature;
  mayBuild: boolean;
  layout: "side" | "page";
  go: (place: Place) => void;
  onMerge: () => void;
  onDeleted: () => void;
}) {
  const { id, kind, status, executionId } = feature;
  const isCard = kind === "card";
  const [asking, setAsking] = useState<Asking>(null);
  const [publishing, setPublishing] = useState(false);
  const start = useFeatureAction("start");
  const retry = useFeatureAction("retry");
  const stop = useFeatureAction("stop");
  const verify = useFeatureAction("verify");
  const shelve = useFeatureAction("shelve");
  const remove = useFeatureAction("delete");
  const toLive = { onSuccess: () => go({ tab: "live", run: undefined, turn: undefined }) };
  const begin = () => start.mutate({ id }, toLive);
  // What works for a step of a system, its execution alone decides about.
  const may = (action: FeatureAction) =>
    mayBuild && executionId === null && actionsFor(feature).includes(action);

  const mayPublish = may("merge") && feature.filesChanged !== 0;
  const remote = useQuery({ ...remoteQuery(feature.projectId), enabled: mayPublish }).data;

  useHotkeys(
    {
      s: () => status === "backlog" && begin(),
      e: () => openEditor({ mode: "edit", featureId: id }),
    },
    // Beside a board these keys are the board's. What is no card is not edited.
    { enabled: layout === "page" && mayBuild && isCard },
  );

  const copyLink = () => {
    void navigator.clipboard
      ?.writeText(linkOf(id))
      .then(() => toast.done(s.header.linkCopied, `#${feature.number} ${feature.title}`));
  };

  const buttons: ReactNode[] = [];
  if (executionId !== null) buttons.push(<OfExecution key="execution" executionId={executionId} />);
  const ended = status !== "queued" && status !== "in_progress";
  if (mayBuild && kind === "task" && executionId === null && feature.mode === "work" && ended) {
    buttons.push(<ToCard key="to-card" feature={feature} />);
  }
  if (status === "backlog" && may("start")) {
    buttons.push(
      <Button key="start" variant="primary" size="sm" busy={start.isPending} onClick={begin}>
        <Play /> {t.action.start}
      </Button>,
    );
  }
  if (may("stop")) {
    buttons.push(
      <Button key="stop" size="sm" busy={stop.isPending} onClick={() => stop.mutate({ id })}>
        <Square className="fill-current" /> {t.action.stop}
      </Button>,
    );
  }
  if (may("retry")) {
    if (status === "failed") {
      buttons.push(
        <Tooltip text={s.header.startAgain} key="start">
          <Button size="sm" aria-label={s.header.startAgain} onClick={() => setAsking("start")}>
            <RotateCcw />
            <span className="hidden @md:inline">{s.header.startAgain}</span>
          </Button>
        </Tooltip>,
      );
    }
    buttons.push(
      <Button
        key="retry"
        variant="primary"
        size="sm"
        busy={retry.isPending}
        onClick={() => retry.mutate({ id }, toLive)}
      >
        <Play /> {status === "paused" ? s.header.resume : s.header.goOn}
      </Button>,
    );
  }
  if (may("verify")) {
    buttons.push(
      <Button key="verify" size="sm" busy={verify.isPending} onClick={() => verify.mutate({ id })}>
        <ShieldCheck /> {t.action.verify}
      </Button>,
    );
  }
  if (may("merge")) {
    buttons.push(
      <Button
        key="merge"
        variant={
          feature.error?.code === "checks-failed" || feature.filesChanged === 0 ? "secondary" : "primary"
        }
        size="sm"
        onClick={onMerge}
      >
        <GitMerge /> {t.action.merge}
      </Button>,
    );
  }

  return (
    <div className="ml-auto flex items-center gap-1.5">
      {status === "completed" && feature.mergeCommit && (
        <Merged projectId={feature.projectId} commit={feature.mergeCommit} />
      )}
      {buttons}
      <Menu
        align="end"
        trigger={
          <Button variant="ghost" size="icon-sm" aria-label={s.header.more}>
            <MoreHorizontal />
          </Button>
        }
      >
        {mayBuild && isCard && (
          <MenuItem
            icon={<Pencil />}
            shortcut="e"
            onClick={() => openEditor({ mode: "edit", featureId: id })}
          >
            {s.header.edit}
          </MenuItem>
        )}
        <MenuItem icon={<LinkIcon />} onClick={copyLink}>
          {s.header.copyLink}
        </MenuItem>
        {mayPublish && remote && (
          <MenuItem icon={<GitPullRequest />} onClick={() => setPublishing(true)}>
            {s.publish.item}
          </MenuItem>
        )}
        {may("start") && status !== "backlog" && status !== "failed" && (
          <MenuItem icon={<RotateCcw />} onClick={() => setAsking("start")}>
            {s.header.startAgain}
          </MenuItem>
        )}
        {may("shelve") && (
          <MenuItem icon={<Undo2 />} onClick={() => setAsking("shelve")}>
            {s.header.shelve}
          </MenuItem>
        )}
        {may("delete") && (
          <>
            <MenuSeparator />
            <MenuItem icon={<Trash2 />} danger onClick={() => setAsking("delete")}>
              {s.header.remove}
            </MenuItem>
          </>
        )}
      </Menu>
      {publishing && remote && (
        <Suspense fallback={null}>
          <Publish feature={feature} remote={remote} onClose={() => setPublishing(false)} />
        </Suspense>
      )}
      <Ask
        asking={asking}
        feature={feature}
        onClose={() => setAsking(null)}
        onConfirm={async (what) => {
          if (what === "start") await start.mutateAsync({ id }, toLive);
          else if (what === "shelve") await shelve.mutateAsync({ id });
          else {
            await remove.mutateAsync({ id });
            forgetKept(id);
            toast.done(s.header.removed, `#${feature.number} ${feature.title}`);
            onDeleted();
          }
        }}
      />
    </div>
  );
}

function Ask({
  asking,
  feature,
  onClose,
  onConfirm,
}: {
  asking: Asking;
  feature: Feature;
  onClose: () => void;
  onConfirm: (what: NonNullable<Asking>) => Promise<unknown>;
}) {
  // What was asked stays in sight while the window closes.
  const [last, setLast] = useState<NonNullable<Asking>>("start");
  if (asking !== null && asking !== last) setLast(asking);
  const words = {
    start: [s.confirm.startAgain, s.confirm.startAgainText, s.header.startAgain],
    shelve: [s.confirm.shelve, s.confirm.shelveText, s.header.shelve],
    delete: [
      s.confirm.remove,
      feature.status === "completed" ? s.confirm.removeMerged : s.confirm.removeText,
      s.header.remove,
    ],
  }[last];
  return (
    <Confirm
      open={asking !== null}
      onOpenChange={(open) => !open && onClose()}
      title={words[0] ?? ""}
      confirm={words[2] ?? ""}
      danger={last === "delete"}
      onConfirm={() => onConfirm(last)}
    >
      <p>{words[1]}</p>
      {last === "delete" && <Dependents feature={feature} />}
    </Confirm>
  );
}

function Dependents({ feature }: { feature: Feature }) {
  const all = useBoard(feature.projectId).data ?? [];
  return <LeftWaiting cards={dependents([feature], all)} one />;
}
