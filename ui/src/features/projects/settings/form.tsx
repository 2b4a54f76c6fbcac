import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useMemo } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { useMay } from "@/api/queries";
import type { AfterWork, Project } from "@/api/types";
import { Section } from "@/components/page";
import { SaveBar } from "@/components/save-bar";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Radios } from "@/components/ui/radios";
import { Select } from "@/components/ui/select";
import { toast } from "@/components/ui/toast";
import { ModelSelect } from "@/features/model-select";
import { sourceWords } from "@/features/projects/source";
import { useEdits } from "@/lib/edits";
import { putProject } from "@/live/apply";
import { Checks } from "./checks";
import { linesOf } from "./commands";
import { changeOf, draftOf, type ProjectDraft, withHost } from "./draft";
import { Keeping } from "./keeping";
import { Knowing } from "./knowing";
import { Network } from "./network";
import { Pipeline } from "./pipeline";
import { SetUp } from "./set-up";

const AFTER_WORK: { value: AfterWork; label: string; help: string }[] = [
  { value: "wait", label: "A person looks", help: "The card waits for approval, with the checks' output." },
  {
    value: "verify",
    label: "Verified when the checks pass",
    help: "Cards that depend on it may begin, on top of its work. Without checks, a person looks.",
  },
  {
    value: "merge",
    label: "Verified and merged",
    help: "One at a time, checked again with what was merged before it. A conflict goes back to the agent once.",
  },
];
const REPAIRS = ["Never", "Once", "Twice", "Three times"];

/** How agents work in a project. Each field is what holds until it is edited here, and only such are sent. */
export function ProjectForm({ project }: { project: Project }) {
  const client = useQueryClient();
  const mayManage = useMay("manageProjects");
  const mayOpen = useMay("administer");
  const now = useMemo(() => draftOf(project), [project]);
  const { draft, changes, changed, clashes, set, setAlong, drop, saved } = useEdits(now);
  const save = useMutation({
    mutationFn: (sent: Partial<ProjectDraft>) => api.updateProject(project.id, changeOf(sent)),
    onSuccess: (fresh, sent) => {
      putProject(client, fresh);
      saved(sent);
      toast.done("Settings saved");
    },
  });
  const error = save.error === null ? null : asApiError(save.error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (changed && !save.isPending) save.mutate(changes);
  };

  return (
    <form onSubmit={submit}>
      <fieldset disabled={!mayManage} className="contents">
        <Section title="General" id="general">
          <div className="flex flex-col gap-4">
            <Field label="Name" error={error?.field("name")}>
              <Input
                value={draft.name}
                onChange={(event) => set({ name: event.target.value })}
                required
                maxLength={100}
              />
            </Field>
            <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-1 text-sm">
              <dt className="text-faint">Repository</dt>
              <dd className="break-all">{sourceWords(project.source)}</dd>
              <dt className="text-faint">Default branch</dt>
              <dd>
                <code className="text-xs">{project.defaultBranch}</code>
              </dd>
            </dl>
          </div>
        </Section>
        <SetUp
          commands={draft.setUp}
          onCommands={(setUp) => set({ setUp })}
          minutes={draft.setUpMinutes}
          onMinutes={(setUpMinutes) => set({ setUpMinutes })}
          mayManage={mayManage}
          error={error?.field("settings.setUpMinutes")}
        />
        <Pipeline
          steps={draft.pipeline}
          onChange={(pipeline) => set({ pipeline })}
          mayManage={mayManage}
          error={error?.field("settings.pipeline")}
        />
        <Checks
          projectId={project.id}
          commands={draft.verifyCommands}
          onCommands={(verifyCommands) => set({ verifyCommands })}
          setUp={linesOf(draft.setUp)}
          minutes={draft.checkMinutes}
          onMinutes={(checkMinutes) => set({ checkMinutes })}
          mayManage={mayManage}
          error={error?.field("settings.checkMinutes")}
        />
        <Section
          title="After the work"
          id="after-work"
          lead="What happens to a card when its agent is done. A card can ask for a person all the same."
        >
          <div className="flex flex-col gap-5">
            <Radios
              label="After the work"
              value={draft.afterWork}
              onChange={(afterWork) => set({ afterWork })}
              options={AFTER_WORK.map((option) => ({ ...option, disabled: !mayManage }))}
            />
            <Field
              label="Failing checks go back to the agent"
              help="In the same conversation, before a person looks."
              error={error?.field("settings.repairs")}
            >
              <Select
                value={String(draft.repairs)}
                onChange={(value) => set({ repairs: Number(value) })}
                disabled={!mayManage}
                options={REPAIRS.map((label, times) => ({ value: String(times), label }))}
              />
            </Field>
          </div>
        </Section>
        <Section
          title="Agents"
          id="agents"
          lead="What holds for every feature of this project, unless its card says otherwise."
        >
          <div className="flex flex-col gap-4">
            <Field label="Default model">
              <ModelSelect
                value={draft.defaultModel}
                onChange={(defaultModel) => set({ defaultModel })}
                none="The server's default"
                disabled={!mayManage}
              />
            </Field>
            <Field
              label="Instructions"
              optional
              help="Read by every agent, beside the repository's own AGENTS.md or CLAUDE.md."
              error={error?.field("settings")}
            >
              <FieldTextarea
                value={draft.instructions}
                onChange={(event) => set({ instructions: event.target.value })}
                maxLength={20_000}
                className="min-h-36"
              />
            </Field>
            <Knowing
              tokens={draft.knowledgeTokens}
              onTokens={(knowledgeTokens) => set({ knowledgeTokens })}
              asks={draft.askWhatToKeep}
              onAsks={(askWhatToKeep) => set({ askWhatToKeep })}
              disabled={!mayManage}
              error={error?.field("settings.knowledgeTokens")}
            />
          </div>
        </Section>
        <Network
          projectId={project.id}
          draft={draft}
          onChange={set}
          onAllowed={(host) =>
            changes.hosts !== undefined && setAlong({ hosts: withHost(changes.hosts, host) })
          }
          saved={project.settings.network.policy}
          mayManage={mayManage}
          mayOpen={mayOpen}
          error={error?.field("settings.network.hosts")}
        />
        <Keeping
          projectId={project.id}
          gib={draft.cacheGib}
          onGib={(cacheGib) => set({ cacheGib })}
          shared={draft.sharedCaches}
          onShared={(sharedCaches) => set({ sharedCaches })}
          mayManage={mayManage}
          error={error?.field("settings.cacheGib")}
        />
      </fieldset>
      {mayManage && (
        <SaveBar
          changed={changed}
          busy={save.isPending}
          problem={error}
          clashes={clashes.length}
          onTakeTheirs={() => drop(clashes)}
          label="Save changes"
          variant="primary"
        />
      )}
    </form>
  );
}
