import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useFeature, useProjects, useRun } from "@/api/queries";
import type { Agent, WorkMode } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Field, FieldTextarea } from "@/components/ui/input";
import { Select } from "@/components/ui/select";
import { LiveTab } from "@/features/feature/live/LiveTab";
import { useUnsaved } from "@/lib/unsaved";
import { agentCalls } from "./queries";
import { s } from "./strings";
import { AgentTasks } from "./tasks";

void import("@/components/markdown-body");

/** Lets an agent work on a prompt by itself, and shows that as it happens; of an archived one, what it did. */
export function TryIt({ agent, onClose }: { agent: Agent; onClose: () => void }) {
  const [task, setTask] = useState<{ feature: string; run: string } | null>(null);
  const archived = agent.status === "archived";
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={archived ? s.try.tasksOf(agent.name) : s.try.title(agent.name)}
      {...(task === null && !archived ? { description: s.try.text } : {})}
      width="lg"
      {...(task === null ? {} : { footer: <Footer task={task.feature} onAgain={() => setTask(null)} /> })}
    >
      {task === null ? (
        <>
          {!archived && <Ask agent={agent} onBegun={setTask} />}
          <AgentTasks agentId={agent.id} alone={archived} />
        </>
      ) : (
        <Watch task={task} />
      )}
    </Dialog>
  );
}

/** The way to all of what came of it, which stays when this is closed. */
function Footer({ task, onAgain }: { task: string; onAgain: () => void }) {
  return (
    <>
      <Button onClick={onAgain}>{s.try.again}</Button>
      <Button render={<Link to="/f/$featureId" params={{ featureId: task }} />}>{s.try.page}</Button>
    </>
  );
}

function Ask({
  agent,
  onBegun,
}: {
  agent: Agent;
  onBegun: (task: { feature: string; run: string }) => void;
}) {
  const client = useQueryClient();
  const projects = (useProjects().data ?? []).filter((project) => project.status === "ready");
  const [chosen, setChosen] = useState<string | null>(null);
  const [prompt, setPrompt] = useState("");
  const [mode, setMode] = useState<WorkMode>("read");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  // Until it has begun: whose session has ended by then signs in over it, and nothing is lost.
  useUnsaved(prompt.trim() !== "");
  const projectId = chosen ?? projects[0]?.id;
  if (projectId === undefined) return <p className="px-5 pb-6 text-muted text-sm">{s.try.noProject}</p>;

  const go = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const { feature, run } = await agentCalls.run(agent.id, { projectId, prompt, mode });
      void client.invalidateQueries({ queryKey: keys.tasks(agent.id) });
      onBegun({ feature: feature.id, run: run.id });
    } catch (cause) {
      setError(asApiError(cause));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={go} className="flex flex-col gap-4 px-5 pb-5">
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={s.try.project}>
          <Select
            value={projectId}
            onChange={setChosen}
            options={projects.map((project) => ({ value: project.id, label: project.name }))}
          />
        </Field>
        <Field label={s.try.mode}>
          <Select<WorkMode>
            value={mode}
            onChange={setMode}
            options={(["read", "work"] as const).map((value) => ({ value, ...s.mode[value] }))}
          />
        </Field>
      </div>
      <Field label={s.try.prompt}>
        <FieldTextarea
          autoFocus
          required
          rows={6}
          value={prompt}
          onChange={(event) => setPrompt(event.target.value)}
        />
      </Field>
      <FormError error={error} />
      <div className="flex justify-end">
        <Button type="submit" variant="primary" busy={busy} disabled={prompt.trim() === ""}>
          {s.try.run}
        </Button>
      </div>
    </form>
  );
}

function Watch({ task }: { task: { feature: string; run: string } }) {
  const feature = useFeature(task.feature).data;
  const run = useRun(task.run).data;
  if (feature === undefined || run === undefined) return <div className="h-96" role="status" />;
  return (
    <div className="@container h-[min(32rem,60vh)] border-line border-t bg-canvas">
      <LiveTab feature={feature} run={run} latest turn={undefined} go={() => {}} action={null} />
    </div>
  );
}
