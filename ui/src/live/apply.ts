import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import type {
  Check,
  Event,
  ExecutionTask,
  ExecutionView,
  Feature,
  FeatureCard,
  FeatureStatus,
  Project,
  ProjectListItem,
  Run,
  RunHistoryEvent,
  StepView,
} from "@/api/types";
import { forgetKept } from "@/features/feature/lib/kept";
import { announce } from "@/lib/announce";
import { told } from "@/strings";
import { noteDoing } from "./doing";
import { isKnowledge, tellKnowledge } from "./knowledge";
import { dropService, settle } from "./output";
import {
  boardOrder,
  isRemembered,
  joinEvents,
  rememberDeleted,
  rememberFeature,
  rememberRunEvent,
  rememberThing,
  toCard,
} from "./recent";

/** The statuses of cards that are at work or need somebody. */
export const ACTIVE: readonly FeatureStatus[] = [
  "queued",
  "in_progress",
  "waiting_approval",
  "verified",
  "failed",
  "paused",
];

export const isActive = (card: FeatureCard) => ACTIVE.includes(card.status);

/** Puts a card into an ordered list, in place of its older self; takes it out when it is not wanted there. */
export function placeCard(
  list: FeatureCard[],
  card: FeatureCard,
  wanted: (card: FeatureCard) => boolean = () => true,
): FeatureCard[] {
  const at = list.findIndex((entry) => entry.id === card.id);
  const before = list[at];
  if (before !== undefined && before.version > card.version) return list;
  if (!wanted(card)) return before === undefined ? list : list.toSpliced(at, 1);
  if (before !== undefined && before.position === card.position) return list.with(at, card);
  const rest = before === undefined ? list : list.toSpliced(at, 1);
  const to = rest.findIndex((entry) => boardOrder(entry, card) > 0);
  return rest.toSpliced(to < 0 ? rest.length : to, 0, card);
}

/** Writes a card into every list and query that holds it. `isNew` where nothing has counted it yet. */
export function putFeature(client: QueryClient, feature: Feature | FeatureCard, isNew = false) {
  const card = toCard(feature);
  const { projectId } = card;
  if (card.kind !== "card") {
    // A chat or a task is on no board. Which chats there are, and in which order, the server says.
    putWhole(client, feature);
    staleChats(client, projectId);
    // But it takes a place like a card, and others wait for that.
    void client.invalidateQueries({ queryKey: keys.atWork });
    staleQueue(client, projectId);
    return;
  }
  const [board, active] = [keys.board(projectId), keys.active(projectId)];
  const held = (key: readonly unknown[]) =>
    client.getQueryData<FeatureCard[]>(key)?.find(({ id }) => id === card.id);
  const whole = client.getQueryData<Feature>(keys.feature(card.id));
  const before = held(board) ?? held(active) ?? (whole?.kind === "card" ? whole : undefined);
  client.setQueryData<FeatureCard[]>(board, (list) => list && placeCard(list, card));
  client.setQueryData<FeatureCard[]>(active, (list) => list && placeCard(list, card, isActive));
  putWhole(client, feature);
  if (before === undefined || before.version < card.version) staleSaid(client, projectId);
  // A chat that became a card is none any more.
  if (before === undefined && isListedChat(client, card)) staleChats(client, projectId);
  // An answer that was slower than the socket changed nothing.
  if (before !== undefined && (before.version > card.version || before.status === card.status)) return;
  if (before !== undefined || isNew) countCards(client, projectId, before?.status, card.status);
  else void client.invalidateQueries({ queryKey: keys.projects });
  staleQueue(client, projectId);
}

function putWhole(client: QueryClient, feature: Feature | FeatureCard) {
  const held = client.getQueryData<Feature>(keys.feature(feature.id));
  // Its title may have been put in before the server knew of it: only the version tells whether it says something else.
  if (held !== undefined && held.version < feature.version)
    void client.invalidateQueries({ queryKey: keys.featureTexts(feature.id) });
  client.setQueryData<Feature>(keys.feature(feature.id), (old) => {
    if (old === undefined) return "description" in feature ? feature : undefined;
    return old.version > feature.version ? old : { ...old, ...feature };
  });
}

const staleChats = (client: QueryClient, projectId: string) =>
  void client.invalidateQueries({ queryKey: keys.chats(projectId) });

/** What is found by a search may be others now. */
const staleSaid = (client: QueryClient, projectId: string) =>
  void client.invalidateQueries({ queryKey: keys.said(projectId) });

type Listed = { id: string }[];

/** Whether a list of chats holds it: in pages, or the palette's, which is one. */
const isListedChat = (client: QueryClient, { id, projectId }: FeatureCard) =>
  client
    .getQueriesData<InfiniteData<{ items: Listed }> | Listed>({ queryKey: keys.chats(projectId) })
    .flatMap(([, list = []]) => ("pages" in list ? list.pages.flatMap(({ items }) => items) : list))
    .some((chat) => chat.id === id);

/** What waits, and why, is another now. */
function staleQueue(client: QueryClient, projectId: string) {
  void client.invalidateQueries({ queryKey: keys.queue(projectId) });
  void client.invalidateQueries({ queryKey: keys.autoMode(projectId) });
  void client.invalidateQueries({ queryKey: keys.teamQueue });
  void client.invalidateQueries({ queryKey: keys.autoModes });
}

/** The same everywhere: something changed by which work waits or goes on. */
export function staleQueues(client: QueryClient) {
  for (const key of [["queue"], ["auto-mode"], ["forecast"], keys.teamQueue, keys.autoModes])
    void client.invalidateQueries({ queryKey: key });
}

/** Keeps the counts of the projects' list in step. */
function countCards(
  client: QueryClient,
  projectId: string,
  from: FeatureStatus | undefined,
  to: FeatureStatus | undefined,
) {
  client.setQueryData<ProjectListItem[]>(keys.projects, (list) =>
    list?.map((project) => {
      if (project.id !== projectId) return project;
      const counts = { ...project.counts };
      if (from !== undefined) counts[from] = Math.max(0, (counts[from] ?? 0) - 1);
      if (to !== undefined) counts[to] = (counts[to] ?? 0) + 1;
      return { ...project, counts };
    }),
  );
}

export function dropFeature(client: QueryClient, featureId: string, projectId: string) {
  let from: FeatureStatus | undefined;
  for (const key of [keys.board(projectId), keys.active(projectId)]) {
    client.setQueryData<FeatureCard[]>(key, (list) => {
      from ??= list?.find((entry) => entry.id === featureId)?.status;
      return list?.filter((entry) => entry.id !== featureId);
    });
  }
  client.removeQueries({ queryKey: keys.feature(featureId) });
  forgetKept(featureId);
  staleSaid(client, projectId);
  // It may have been a chat.
  staleChats(client, projectId);
  if (from !== undefined) countCards(client, projectId, from, undefined);
  else void client.invalidateQueries({ queryKey: keys.projects });
}

export function putProject(client: QueryClient, project: Project) {
  const old = client.getQueryData<Project>(keys.project(project.id));
  // The socket may have told of what came next before the answer to a request was here.
  if (old !== undefined && Date.parse(old.updatedAt) > Date.parse(project.updatedAt)) return;
  client.setQueryData<Project>(keys.project(project.id), { ...old, ...project });
  client.setQueryData<ProjectListItem[]>(keys.projects, (list) => {
    if (list === undefined) return list;
    const at = list.findIndex((entry) => entry.id === project.id);
    const before = list[at];
    return before === undefined
      ? [...list, { ...project, counts: {} }]
      : list.with(at, { ...before, ...project });
  });
}

export function putRun(client: QueryClient, run: Run) {
  const listed = client.getQueryData<Run[]>(keys.runs(run.featureId));
  const before = client.getQueryData<Run>(keys.run(run.id)) ?? listed?.find((entry) => entry.id === run.id);
  // Its work is another, whoever changed it: an agent, or somebody at a terminal.
  if (before !== undefined && (before.headCommit !== run.headCommit || before.baseCommit !== run.baseCommit))
    void client.invalidateQueries({ queryKey: keys.diff(run.featureId) });
  client.setQueryData<Run>(keys.run(run.id), run);
  client.setQueryData<Run[]>(keys.runs(run.featureId), (list) => {
    if (list === undefined) return list;
    const at = list.findIndex((entry) => entry.id === run.id);
    return at < 0 ? [run, ...list] : list.with(at, run);
  });
  client.setQueriesData<ExecutionView>({ queryKey: keys.eachExecution }, (view) => putTask(view, run));
}

/** Whether an agent of an execution works or waits, its run says. */
function putTask(view: ExecutionView | undefined, run: Run): ExecutionView | undefined {
  const of = (step: StepView) => step.tasks.some((task) => task.featureId === run.featureId);
  if (!view?.steps.some(of)) return view;
  const { id: runId, status, parkedUntil, parkedReason, parkedFor } = run;
  const put = (task: ExecutionTask) =>
    task.featureId === run.featureId
      ? { ...task, runId, status, parkedUntil, parkedReason, parkedFor }
      : task;
  return {
    ...view,
    steps: view.steps.map((step) => (of(step) ? { ...step, tasks: step.tasks.map(put) } : step)),
  };
}

/** The tools that reach the team's hub. */
const KEEPS = /^(knowledge|learning)_/;

function putRunEvents(client: QueryClient, runId: string, events: RunHistoryEvent[]) {
  client.setQueryData<RunHistoryEvent[]>(keys.runEvents(runId), (list) => list && joinEvents(list, events));
  let stale = false;
  for (const { event, featureId } of events) {
    settle(runId, event);
    if (event.kind === "check") putCheck(client, runId, event.check);
    // The files changed: the diff that is shown is old.
    if (event.kind === "turn_saved" && event.snapshot !== null) stale = true;
    if (event.kind === "ended") stale = true;
    if (event.kind === "step_started" || event.kind === "step_ended")
      void client.invalidateQueries({ queryKey: keys.steps(runId) });
    // What was told and read is written before these are, and so is what was recorded.
    if (
      event.kind === "started" ||
      event.kind === "note" ||
      (event.kind === "tool_finished" && KEEPS.test(event.tool))
    )
      void client.invalidateQueries({ queryKey: keys.runGuide(runId) });
    if (event.kind === "plan_proposed" || event.kind === "plan_decided" || event.kind === "plan_adopted")
      void client.invalidateQueries({ queryKey: keys.plans(featureId) });
    if (stale) void client.invalidateQueries({ queryKey: keys.diff(featureId) });
  }
}

function putCheck(client: QueryClient, runId: string, check: Check) {
  client.setQueryData<Check[]>(keys.checks(runId), (list) => {
    if (list === undefined) return list;
    const at = list.findIndex((entry) => entry.id === check.id);
    const before = list[at];
    if (before === undefined) return [check, ...list];
    // The event holds only the end of the output; a longer one that is here already stays.
    const output = before.output.length > check.output.length ? before.output : check.output;
    return list.with(at, { ...check, output });
  });
}

/** Applies a batch of stored events to everything that the page holds. */
export function applyEvents(client: QueryClient, events: Event[]) {
  const runEvents = new Map<string, RunHistoryEvent[]>();
  for (const event of events) {
    switch (event.type) {
      case "project.created":
      case "project.updated":
        rememberThing("project", event.project.id, event.project);
        putProject(client, event.project);
        void client.invalidateQueries({ queryKey: keys.network(event.project.id) });
        void client.invalidateQueries({ queryKey: keys.remote(event.project.id) });
        // A push is told as a change of the project.
        void client.invalidateQueries({ queryKey: keys.commits(event.project.id) });
        break;
      case "project.refused-hosts":
        void client.invalidateQueries({ queryKey: keys.network(event.projectId) });
        break;
      case "project.deleted":
        client.setQueryData<ProjectListItem[]>(keys.projects, (list) =>
          list?.filter((entry) => entry.id !== event.projectId),
        );
        break;
      case "feature.created":
      case "feature.updated": {
        // A card is told of without a new version when a file is put on it or taken off.
        if (client.getQueryData<Feature>(keys.feature(event.feature.id))?.version === event.feature.version)
          void client.invalidateQueries({ queryKey: keys.attachments(event.feature.id) });
        // What this page made itself was put in with the answer.
        const isNew = event.type === "feature.created" && !isRemembered(event.feature.id);
        rememberFeature(event.feature);
        rememberThing("feature", event.feature.id, event.feature);
        putFeature(client, event.feature, isNew);
        break;
      }
      case "feature.deleted":
        rememberDeleted(event.featureId, event.projectId);
        dropFeature(client, event.featureId, event.projectId);
        break;
      case "run.updated":
        rememberThing("run", event.run.id, event.run);
        putRun(client, event.run);
        if (event.run.status === "queued") staleQueue(client, event.run.projectId);
        break;
      case "notification.updated":
        void client.invalidateQueries({ queryKey: keys.notifications });
        if (event.notification) announce(`${event.notification.subject}: ${told[event.notification.kind]}`);
        if (event.notification?.kind === "morning-report.ready") {
          void client.invalidateQueries({ queryKey: keys.latestReport });
          void client.invalidateQueries({ queryKey: keys.reports });
        }
        break;
      case "alert.raised":
      case "alert.updated":
      case "alert.cleared":
        void client.invalidateQueries({ queryKey: keys.alerts });
        void client.invalidateQueries({ queryKey: keys.strain });
        // Work may wait by it, or go on.
        staleQueues(client);
        break;
      case "agent.updated":
        void client.invalidateQueries({ queryKey: keys.agents });
        break;
      case "mcp-server.updated":
        void client.invalidateQueries({ queryKey: keys.mcpServers });
        break;
      case "system.updated":
      case "system.deleted":
        void client.invalidateQueries({ queryKey: keys.systems });
        break;
      case "execution.updated":
        void client.invalidateQueries({ queryKey: keys.executions });
        void client.invalidateQueries({ queryKey: keys.execution(event.execution.id) });
        break;
      case "auto-mode.updated":
        staleQueue(client, event.order.projectId);
        break;
      case "service.updated": {
        const { service } = event;
        if (service.status !== "running") dropService(service.runId, service.id);
        void client.invalidateQueries({ queryKey: keys.services(service.runId) });
        break;
      }
      case "run.event": {
        rememberRunEvent(event);
        noteDoing(event.runId, event.event);
        const list = runEvents.get(event.runId);
        if (list === undefined) runEvents.set(event.runId, [event]);
        else list.push(event);
        break;
      }
      default:
        if (isKnowledge(event)) tellKnowledge(event);
    }
  }
  for (const [runId, list] of runEvents) putRunEvents(client, runId, list);
}
