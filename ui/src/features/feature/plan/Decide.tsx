import { Check, Pencil, Undo2 } from "lucide-react";
import { type KeyboardEvent, useId, useState } from "react";
import type { Feature, Plan } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Textarea } from "@/components/ui/input";
import { Tooltip } from "@/components/ui/tooltip";
import { useHotkeys } from "@/lib/hotkeys";
import { own } from "@/lib/persistent";
import { type Decision, linesOfTasks, tasksOfLines, useDecide } from "./decide";
import { p } from "./strings";

type Mode = "look" | "change" | "reject";

/** Approve, approve with changes, or send back with feedback. What is typed survives a reload. */
export function Decide({ feature, plan, mayBuild }: { feature: Feature; plan: Plan; mayBuild: boolean }) {
  const key = `${plan.runId}.${plan.version}`;
  const texts = own<string>(`plan.text.${key}`, plan.text);
  const lines = own<string>(`plan.tasks.${key}`, linesOfTasks(plan.tasks));
  const words = own<string>(`plan.feedback.${key}`, "");
  const [text, tasks, feedback] = [texts.use(), lines.use(), words.use()];
  const [mode, setMode] = useState<Mode>(feedback === "" ? "look" : "reject");
  const id = useId();
  const { version } = plan;

  const forget = () => {
    texts.set(plan.text);
    lines.set(linesOfTasks(plan.tasks));
    words.set("");
  };
  const decide = useDecide(feature.id, forget);
  const send = (decision: Decision) => {
    if (!decide.isPending) decide.mutate(decision);
  };
  const approve = () => send({ kind: "approve", version });
  const corrected = tasksOfLines(tasks);
  const canApprove = text.trim() !== "" && corrected.length > 0;
  const approveChanged = () => canApprove && send({ kind: "approve", version, text, tasks: corrected });
  const canReject = feedback.trim() !== "";
  const reject = () => canReject && send({ kind: "reject", version, feedback });

  useHotkeys(
    {
      "shift+a": approve,
      "shift+e": () => setMode("change"),
      "shift+r": () => setMode("reject"),
    },
    { enabled: mayBuild && mode === "look" },
  );
  const keys = (submit: () => void) => (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) submit();
    else if (event.key === "Escape") setMode("look");
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  if (!mayBuild) return <p className="border-line border-t px-4 py-2.5 text-faint text-xs">{p.look}</p>;
  const cancel = (
    <Button variant="ghost" size="sm" onClick={() => setMode("look")}>
      {p.cancel}
    </Button>
  );
  return (
    <div
      data-composer=""
      className="max-h-[70%] overflow-y-auto short:max-h-none border-line border-t bg-surface px-4 py-2.5 scroll-thin"
    >
      <div className="mx-auto flex max-w-3xl flex-col gap-2">
        {mode === "look" && (
          <div className="flex flex-wrap items-center gap-2">
            <p className="min-w-full flex-1 text-muted text-xs @lg:min-w-40">{p.held}</p>
            <Tooltip text={p.reject} keys="shift+r" side="top">
              <Button size="sm" onClick={() => setMode("reject")}>
                <Undo2 /> {p.reject}
              </Button>
            </Tooltip>
            <Tooltip text={p.change} keys="shift+e" side="top">
              <Button size="sm" onClick={() => setMode("change")}>
                <Pencil /> {p.change}
              </Button>
            </Tooltip>
            <Tooltip text={p.approve} keys="shift+a" side="top">
              <Button variant="primary" size="sm" busy={decide.isPending} onClick={approve}>
                <Check /> {p.approve}
              </Button>
            </Tooltip>
          </div>
        )}
        {mode === "reject" && (
          <>
            <label htmlFor={`${id}-feedback`} className="font-medium text-sm">
              {p.feedback}
            </label>
            <Textarea
              id={`${id}-feedback`}
              aria-describedby={`${id}-help`}
              value={feedback}
              onChange={(event) => words.set(event.target.value)}
              onKeyDown={keys(reject)}
              autoFocus
            />
            <div className="flex flex-wrap items-center gap-2">
              <p id={`${id}-help`} className="min-w-40 flex-1 text-faint text-xs">
                {p.feedbackHelp}
              </p>
              {cancel}
              <Button
                variant="primary"
                size="sm"
                disabled={!canReject}
                busy={decide.isPending}
                onClick={reject}
              >
                <Undo2 /> {p.sendBack}
              </Button>
            </div>
          </>
        )}
        {mode === "change" && (
          <>
            <label htmlFor={`${id}-text`} className="font-medium text-sm">
              {p.text}
            </label>
            <Textarea
              id={`${id}-text`}
              className="min-h-40 font-mono text-xs"
              value={text}
              onChange={(event) => texts.set(event.target.value)}
              onKeyDown={keys(approveChanged)}
              autoFocus
            />
            <label htmlFor={`${id}-tasks`} className="font-medium text-sm">
              {p.tasks} <span className="font-normal text-faint text-xs">{p.tasksHelp}</span>
            </label>
            <Textarea
              id={`${id}-tasks`}
              value={tasks}
              onChange={(event) => lines.set(event.target.value)}
              onKeyDown={keys(approveChanged)}
            />
            <div className="flex flex-wrap items-center justify-end gap-2">
              {cancel}
              <Button
                variant="primary"
                size="sm"
                disabled={!canApprove}
                busy={decide.isPending}
                onClick={approveChanged}
              >
                <Check /> {p.approveChanged}
              </Button>
            </div>
          </>
        )}
      </div>
    </div>
  );
}
