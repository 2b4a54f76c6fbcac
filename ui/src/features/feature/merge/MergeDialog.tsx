import { useMutation, useQueryClient } from "@tanstack/react-query";
import { GitMerge, GitPullRequestClosed, TriangleAlert } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { asApiError } from "@/api/error";
import { useChecks, useProject } from "@/api/queries";
import type { ConflictFile, Feature, Run } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, FieldTextarea } from "@/components/ui/input";
import { RequestId } from "@/components/ui/request-id";
import { toast } from "@/components/ui/toast";
import { act } from "@/features/actions";
import { MergedFirst } from "@/features/dependents";
import { count, shortId } from "@/lib/format";
import { t } from "@/strings";
import { Stat } from "../header/Facts";
import { forgetKept } from "../lib/kept";
import { s } from "../strings";
import { commitMessage } from "./message";

/** Asks for the commit's message, merges, and says what came of it. */
export function MergeDialog({
  feature,
  run,
  open,
  onOpenChange,
  onAsk,
}: {
  feature: Feature;
  run: Run | undefined;
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** The agent shall be asked this. */
  onAsk: (message: string) => void;
}) {
  const client = useQueryClient();
  const branch = useProject(feature.projectId).data?.defaultBranch ?? "main";
  const shown = useRef(false);
  useEffect(() => {
    shown.current = open;
    return () => {
      shown.current = false;
    };
  }, [open]);
  const merge = useMutation({
    mutationKey: ["feature", "merge"],
    mutationFn: (wish: { id: string; name: string; branch: string; message: string }) =>
      act(client, wish.id, "merge", { message: wish.message, quiet: true }),
    // Told whatever is shown by then.
    onSuccess: (merged, wish) => {
      forgetKept(wish.id);
      toast.done(s.merge.done(shortId(merged?.mergeCommit ?? ""), wish.branch), wish.name);
    },
    onError: (cause, wish) => {
      if (!shown.current) toast.error(wish.name, asApiError(cause));
    },
  });
  const [message, setMessage] = useState("");
  const { reset, isPending } = merge;
  // biome-ignore lint/correctness/useExhaustiveDependencies: only when it opens; what is typed stays.
  useEffect(() => {
    if (!open) return;
    if (isPending) return;
    setMessage(commitMessage(feature));
    reset();
  }, [open]);

  const error = merge.error === null ? null : asApiError(merge.error);
  const conflict = error?.code === "merge-conflict" ? ((error.extras.files ?? []) as ConflictFile[]) : null;
  const into = typeof error?.extras.branch === "string" ? error.extras.branch : branch;

  const go = () =>
    merge.mutate(
      { id: feature.id, name: `#${feature.number} ${feature.title}`, branch, message: message.trim() },
      { onSuccess: () => onOpenChange(false) },
    );

  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={conflict === null ? `${s.merge.title} #${feature.number}` : s.merge.conflict}
      description={conflict === null ? s.merge.text(branch) : s.merge.conflictText(into)}
      footer={
        conflict === null ? (
          <>
            <Button onClick={() => onOpenChange(false)}>{t.common.cancel}</Button>
            <Button variant="primary" busy={merge.isPending} disabled={message.trim() === ""} onClick={go}>
              <GitMerge /> {s.merge.button(branch)}
            </Button>
          </>
        ) : (
          <>
            <Button onClick={() => onOpenChange(false)}>{t.common.close}</Button>
            <Button
              variant="primary"
              onClick={() =>
                onAsk(s.merge.askMessage(into, conflict.map((file) => `- \`${file.path}\``).join("\n")))
              }
            >
              {s.merge.ask}
            </Button>
          </>
        )
      }
    >
      <div className="flex flex-col gap-3 px-5 pt-1 pb-4">
        {conflict === null ? (
          <>
            <Checked feature={feature} run={run} />
            <div className="text-sm empty:hidden">
              <MergedFirst runId={open ? run?.id : undefined} />
            </div>
            <Field label={s.merge.message} help={s.merge.messageHelp}>
              <FieldTextarea
                rows={Math.min(14, Math.max(5, message.split("\n").length + 1))}
                value={message}
                onChange={(event) => setMessage(event.target.value)}
                onKeyDown={(event) => {
                  if (event.key === "Enter" && (event.metaKey || event.ctrlKey) && !merge.isPending) go();
                }}
                className="font-mono text-xs leading-5"
              />
            </Field>
            <p className="flex items-center gap-1.5 text-muted text-xs">
              {s.changes.files(feature.filesChanged)}
              <Stat added={feature.linesAdded} removed={feature.linesRemoved} />
            </p>
            {error !== null && (
              <div role="alert" className="rounded-lg bg-red-soft px-3 py-2 text-sm">
                <p>
                  {error.code === "nothing-to-merge" && `${s.merge.nothing}. `}
                  {error.detail}
                </p>
                {error.requestId && <RequestId id={error.requestId} className="mt-1" />}
              </div>
            )}
          </>
        ) : (
          <div role="alert">
            <ul className="divide-y divide-line rounded-lg border border-line">
              {conflict.map((file) => (
                <li key={file.path} className="flex flex-wrap items-center gap-x-2.5 px-3 py-2">
                  <GitPullRequestClosed aria-hidden className="size-4 shrink-0 text-amber" />
                  <code className="min-w-0 text-sm [overflow-wrap:anywhere]">{file.path}</code>
                  <span className="text-faint text-xs">{s.merge.kinds[file.kind] ?? file.kind}</span>
                </li>
              ))}
            </ul>
          </div>
        )}
      </div>
    </Dialog>
  );
}

/** Says so when the checks did not pass on what is to be merged. */
function Checked({ feature, run }: { feature: Feature; run: Run | undefined }) {
  const checks = useChecks(run?.id).data;
  const project = useProject(feature.projectId).data;
  if (feature.status === "verified" || feature.skipVerification) return null;
  const wanted = project?.settings.verifyCommands ?? [];
  if (wanted.length === 0 || checks === undefined) return null;
  const here = checks.filter((check) => check.kind === "check" && check.commitId === run?.headCommit);
  const passed = wanted.filter((command) =>
    here.some((check) => check.command === command && check.status === "passed"),
  );
  if (passed.length === wanted.length) return null;
  const failed = feature.error?.code === "checks-failed";
  return (
    <p className="flex items-start gap-2 rounded-lg bg-amber-soft px-3 py-2 text-sm">
      <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-amber" />
      <span>
        {failed ? s.merge.failedChecks : s.merge.unverified}{" "}
        <span className="text-muted">{s.checks.round(passed.length, count(wanted.length))}</span>
      </span>
    </p>
  );
}
