import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Sparkles } from "lucide-react";
import { useState } from "react";
import { body, client as http } from "@/api/client";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { DiskReport } from "@/api/types";
import { Section } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { bytes, count } from "@/lib/format";
import { Time } from "@/lib/time";
import { headingOf, leadsTo, useRemove } from "./remove";
import { d } from "./strings";

interface Row {
  key: string;
  what: string;
  why: string;
  size: number | null;
}

function rowsOf({ plan, worktrees }: DiskReport): Row[] {
  const title = (runId: string) => worktrees.find((one) => one.runId === runId)?.title ?? runId.slice(0, 8);
  const { runs, events, snapshots } = plan.records;
  const records = [
    [runs, d.runs],
    [events, d.events],
    [snapshots, d.snapshots],
  ] as const;
  return [
    ...plan.worktrees.map((one) => ({
      key: one.runId,
      what: d.worktreeOf(title(one.runId)),
      why: d.why[one.why],
      size: one.bytes,
    })),
    ...plan.caches.map((one) => ({
      key: `${one.projectId} ${one.memberId} ${one.tool}`,
      what: d.cacheOf(one.tool),
      why: d.why[one.why],
      size: one.bytes,
    })),
    ...plan.repositories.map((one) => ({
      key: one.projectId,
      what: d.repositoryOf(one.name),
      why: d.why.archived,
      size: one.bytes,
    })),
    ...records
      .filter(([number]) => number > 0)
      .map(([number, say]) => ({ key: say("n"), what: say(count(number)), why: d.old, size: null })),
  ];
}

/** What goes at the next clean-up and why, and how to have it now. */
export function Plan({ report, running }: { report: DiskReport; running: boolean }) {
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const rows = rowsOf(report);
  const tidy = useMutation({
    mutationFn: () => body(http.POST("/api/operation/tidy")),
    onSuccess: (standing) => {
      client.setQueryData(keys.disk, standing);
      toast.done(d.begun);
    },
    onError: (error) => toast.error(undefined, asApiError(error)),
  });
  return (
    <Section id="plan" title={d.plan} lead={d.planLead}>
      {rows.length === 0 ? (
        <p className="mb-4 text-muted text-sm">{d.nothing}</p>
      ) : (
        <ul
          aria-label={d.plan}
          className="mb-4 divide-y divide-line rounded-xl border border-line bg-surface shadow-card"
        >
          {rows.map((row) => (
            <li key={row.key} className="flex flex-wrap items-baseline gap-x-4 gap-y-0.5 px-4 py-3 text-sm">
              <span className="min-w-0 flex-1 basis-60 break-words">
                {row.what}
                <span className="block text-faint text-xs">{row.why}</span>
              </span>
              {row.size !== null && <span className="num text-muted">{bytes(row.size)}</span>}
            </li>
          ))}
        </ul>
      )}
      <Button busy={running || tidy.isPending} onClick={() => setAsking(true)}>
        <Sparkles /> {d.now}
      </Button>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={d.nowTitle}
        confirm={d.now}
        onConfirm={() => tidy.mutateAsync()}
      >
        {d.nowText}
      </Confirm>
    </Section>
  );
}

/** What nothing in the database belongs to; each goes only when an admin says so. */
export function Orphans({ report }: { report: DiskReport }) {
  const [asking, setAsking] = useState<string | null>(null);
  const remove = useRemove(d.removed);
  return (
    <>
      {report.orphans.length > 0 && (
        <Section id="orphans" title={d.orphans} lead={d.orphansLead}>
          <ul
            aria-label={d.orphans}
            className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card"
          >
            {report.orphans.map((orphan) => (
              <Orphan
                key={orphan.path}
                orphan={orphan}
                young={Date.parse(orphan.removableAt) > Date.parse(report.at)}
                onRemove={() => setAsking(orphan.path)}
              />
            ))}
          </ul>
        </Section>
      )}
      <Confirm
        open={asking !== null}
        onOpenChange={() => setAsking(null)}
        title={d.removeTitle}
        confirm={d.remove}
        danger
        focusWhenGone={headingOf("orphans")}
        onConfirm={() => (asking === null ? undefined : remove.mutateAsync(asking))}
      >
        <code className="break-all">{asking}</code>
        <span>{d.removeText}</span>
      </Confirm>
    </>
  );
}

function Orphan({
  orphan,
  young,
  onRemove,
}: {
  orphan: DiskReport["orphans"][number];
  /** Whether it is too young to be removed. */
  young: boolean;
  onRemove: () => void;
}) {
  return (
    <li
      ref={leadsTo(headingOf("orphans"))}
      className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm"
    >
      <span className="min-w-0 flex-1 basis-60">
        <code className="break-all">{orphan.path}</code>
        <span className="block text-faint text-xs">
          {d.orphanKind[orphan.kind]}. {d.changed} <Time at={orphan.changedAt} />.
          {young && (
            <>
              {" "}
              {d.young} <Time at={orphan.removableAt} />.
            </>
          )}
        </span>
      </span>
      <span className="num text-muted">{bytes(orphan.bytes)}</span>
      <Button size="sm" disabled={young} aria-label={`${d.remove}: ${orphan.path}`} onClick={onRemove}>
        {d.remove}
      </Button>
    </li>
  );
}
