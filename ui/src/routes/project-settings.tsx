import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { type FormEvent, lazy, Suspense, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { useMay, useProject } from "@/api/queries";
import type { AfterWork, Project } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Page, Section } from "@/components/page";
import { ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Field, FieldTextarea, Input } from "@/components/ui/input";
import { Radios } from "@/components/ui/radios";
import { Select } from "@/components/ui/select";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { ModelSelect } from "@/features/model-select";
import { Checks } from "@/features/projects/settings/checks";
import { command, linesOf } from "@/features/projects/settings/commands";
import { Keeping } from "@/features/projects/settings/keeping";
import { Knowing } from "@/features/projects/settings/knowing";
import {
  Network,
  type NetworkDraft,
  networkDraft,
  networkOf,
  withHost,
} from "@/features/projects/settings/network";
import { draft, Pipeline, stepsOf } from "@/features/projects/settings/pipeline";
import { Secrets } from "@/features/projects/settings/secrets";
import { SetUp } from "@/features/projects/settings/set-up";
import { sourceWords } from "@/features/projects/source";
import { putProject } from "@/live/apply";

const McpServers = lazy(() => import("@/features/mcp/servers"));

export default function ProjectSettingsPage() {
  const { projectId } = useParams({ from: "/frame/p/$projectId/settings" });
  const project = useProject(projectId);
  return (
    <Page
      width="sm"
      title={project.data?.name ?? "Project"}
      lead={
        <Link
          to="/p/$projectId"
          params={{ projectId }}
          className="inline-flex items-center gap-1 rounded hover:text-ink"
        >
          <ArrowLeft aria-hidden className="size-3.5" /> To the board
        </Link>
      }
    >
      {project.isPending ? (
        <div className="flex flex-col gap-4">
          <Skeleton className="h-16" />
          <Skeleton className="h-40" />
          <Skeleton className="h-40" />
        </div>
      ) : project.isError ? (
        <ErrorState error={project.error} onRetry={() => project.refetch()} />
      ) : (
        <ProjectForm key={project.data.id} project={project.data} />
      )}
    </Page>
  );
}

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

function ProjectForm({ project }: { project: Project }) {
  const client = useQueryClient();
  const mayManage = useMay("manageProjects");
  const [name, setName] = useState(project.name);
  const [commands, setCommands] = useState(() => project.settings.verifyCommands.map(command));
  const [minutes, setMinutes] = useState(project.settings.checkMinutes);
  const [steps, setSteps] = useState(() => project.settings.pipeline.map(draft));
  const [model, setModel] = useState(project.settings.defaultModel);
  const [instructions, setInstructions] = useState(project.settings.instructions);
  const [afterWork, setAfterWork] = useState(project.settings.afterWork);
  const [repairs, setRepairs] = useState(project.settings.repairs);
  const [knowledgeTokens, setKnowledgeTokens] = useState(project.settings.knowledgeTokens);
  const [askWhatToKeep, setAskWhatToKeep] = useState(project.settings.askWhatToKeep);
  const mayOpen = useMay("administer");
  // Until somebody edits it here, it is what holds now: others allow hosts meanwhile.
  const [edited, setNetwork] = useState<NetworkDraft | null>(null);
  const network = edited ?? networkDraft(project.settings.network);
  const [setUp, setSetUp] = useState(() => project.settings.setUp.map(command));
  const [setUpMinutes, setSetUpMinutes] = useState(project.settings.setUpMinutes);
  const [cacheGib, setCacheGib] = useState(project.settings.cacheGib);
  const [sharedCaches, setSharedCaches] = useState(project.settings.sharedCaches);
  const save = useMutation({
    mutationFn: () =>
      api.updateProject(project.id, {
        name: name.trim(),
        settings: {
          verifyCommands: linesOf(commands),
          checkMinutes: minutes,
          pipeline: stepsOf(steps),
          defaultModel: model,
          instructions,
          afterWork,
          repairs,
          knowledgeTokens,
          askWhatToKeep,
          network: networkOf(network),
          setUp: linesOf(setUp),
          setUpMinutes,
          cacheGib,
          sharedCaches,
        },
      }),
    onSuccess: (saved) => {
      putProject(client, saved);
      setCommands(saved.settings.verifyCommands.map(command));
      setSetUp(saved.settings.setUp.map(command));
      setSteps(saved.settings.pipeline.map(draft));
      setNetwork(null);
      toast.done("Settings saved");
    },
  });
  const error = save.error === null ? null : asApiError(save.error);
  const changed =
    name !== project.name ||
    model !== project.settings.defaultModel ||
    instructions !== project.settings.instructions ||
    afterWork !== project.settings.afterWork ||
    repairs !== project.settings.repairs ||
    minutes !== project.settings.checkMinutes ||
    knowledgeTokens !== project.settings.knowledgeTokens ||
    askWhatToKeep !== project.settings.askWhatToKeep ||
    JSON.stringify(networkOf(network)) !== JSON.stringify(project.settings.network) ||
    setUpMinutes !== project.settings.setUpMinutes ||
    cacheGib !== project.settings.cacheGib ||
    sharedCaches !== project.settings.sharedCaches ||
    setUp.map((entry) => entry.text.trim()).join("\n") !== project.settings.setUp.join("\n") ||
    JSON.stringify(stepsOf(steps)) !== JSON.stringify(stepsOf(project.settings.pipeline.map(draft))) ||
    commands.map((entry) => entry.text.trim()).join("\n") !== project.settings.verifyCommands.join("\n");

  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };

  return (
    <>
      <form onSubmit={submit}>
        <fieldset disabled={!mayManage} className="contents">
          <Section title="General" id="general">
            <div className="flex flex-col gap-4">
              <Field label="Name" error={error?.field("name")}>
                <Input
                  value={name}
                  onChange={(event) => setName(event.target.value)}
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
            commands={setUp}
            onCommands={setSetUp}
            minutes={setUpMinutes}
            onMinutes={setSetUpMinutes}
            mayManage={mayManage}
            error={error?.field("settings.setUpMinutes")}
          />
          <Pipeline
            steps={steps}
            onChange={setSteps}
            mayManage={mayManage}
            error={error?.field("settings.pipeline")}
          />
          <Checks
            projectId={project.id}
            commands={commands}
            onCommands={setCommands}
            setUp={linesOf(setUp)}
            minutes={minutes}
            onMinutes={setMinutes}
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
                value={afterWork}
                onChange={setAfterWork}
                options={AFTER_WORK.map((option) => ({ ...option, disabled: !mayManage }))}
              />
              <Field
                label="Failing checks go back to the agent"
                help="In the same conversation, before a person looks."
                error={error?.field("settings.repairs")}
              >
                <Select
                  value={String(repairs)}
                  onChange={(value) => setRepairs(Number(value))}
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
                  value={model}
                  onChange={setModel}
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
                  value={instructions}
                  onChange={(event) => setInstructions(event.target.value)}
                  maxLength={20_000}
                  className="min-h-36"
                />
              </Field>
              <Knowing
                tokens={knowledgeTokens}
                onTokens={setKnowledgeTokens}
                asks={askWhatToKeep}
                onAsks={setAskWhatToKeep}
                disabled={!mayManage}
                error={error?.field("settings.knowledgeTokens")}
              />
            </div>
          </Section>
          <Network
            projectId={project.id}
            draft={network}
            onChange={setNetwork}
            onAllowed={(host) => setNetwork((draft) => draft && withHost(draft, host))}
            saved={project.settings.network.policy}
            mayManage={mayManage}
            mayOpen={mayOpen}
            error={error?.field("settings.network.hosts")}
          />
          <Keeping
            projectId={project.id}
            gib={cacheGib}
            onGib={setCacheGib}
            shared={sharedCaches}
            onShared={setSharedCaches}
            mayManage={mayManage}
            error={error?.field("settings.cacheGib")}
          />
        </fieldset>
        {mayManage && (
          <div className="flex flex-col gap-3 border-line border-t pt-5">
            <FormError error={error && error.fields.length === 0 ? error : null} />
            <Button
              type="submit"
              variant="primary"
              className="self-start"
              busy={save.isPending}
              disabled={!changed}
            >
              Save changes
            </Button>
          </div>
        )}
      </form>
      <div className="mt-10">
        <Secrets projectId={project.id} />
      </div>
      <div className="mt-10">
        <Suspense fallback={<Skeleton className="h-40" />}>
          <McpServers projectId={project.id} mayManage={mayManage} />
        </Suspense>
      </div>
      {mayManage && <Archive project={project} />}
    </>
  );
}

function Archive({ project }: { project: Project }) {
  const navigate = useNavigate();
  const [open, setOpen] = useState(false);
  return (
    <div className="mt-10">
      <Section
        title="Archive"
        lead="Takes the project off everyone's list. Its repository and its cards stay on the server."
      >
        <Button onClick={() => setOpen(true)}>Archive this project</Button>
        <Confirm
          open={open}
          onOpenChange={setOpen}
          title={`Archive ${project.name}?`}
          confirm="Archive"
          danger
          onConfirm={async () => {
            try {
              await api.archiveProject(project.id);
            } catch (cause) {
              toast.error(undefined, asApiError(cause));
              throw cause;
            }
            await navigate({ to: "/projects" });
            toast.done(`${project.name} is archived`);
          }}
        >
          It disappears from the list for the whole team. Runs that are at work must be stopped first.
        </Confirm>
      </Section>
    </div>
  );
}
