import { infiniteQueryOptions, keepPreviousData, queryOptions, useQuery } from "@tanstack/react-query";
import { ACTIVE, isActive } from "@/live/apply";
import { broughtSince, collectRunEvents, fetchUnder, joinEvents, overlay } from "@/live/recent";
import { api } from "./calls";
import { keys } from "./keys";
import type { AuditFilter, Delivery, Project, RightName, Run, RunHistoryEvent, UsageAsked } from "./types";

// What the socket keeps in step is never stale by time; `resync` invalidates it.
const LIVE = { staleTime: Number.POSITIVE_INFINITY } as const;

/** Whether a message to a webhook is being sent, or will be in a moment. */
const onItsWay = (one: Delivery) => one.status === "waiting" && Date.parse(one.nextAt) < Date.now() + 10_000;

export const queries = {
  authStatus: () => queryOptions({ queryKey: keys.authStatus, queryFn: api.authStatus, staleTime: 60_000 }),
  me: () => queryOptions({ queryKey: keys.me, queryFn: api.me, ...LIVE }),
  sessions: () => queryOptions({ queryKey: keys.sessions, queryFn: api.sessions }),
  identities: () => queryOptions({ queryKey: keys.identities, queryFn: api.identities }),
  tokens: () => queryOptions({ queryKey: keys.tokens, queryFn: async () => (await api.tokens()).items }),
  clients: () => queryOptions({ queryKey: keys.clients, queryFn: api.clients }),
  factors: () => queryOptions({ queryKey: keys.factors, queryFn: api.factors }),
  credentials: () => queryOptions({ queryKey: keys.credentials, queryFn: api.credentials }),
  teamCredentials: () => queryOptions({ queryKey: keys.teamCredentials, queryFn: api.teamCredentials }),
  models: () => queryOptions({ queryKey: keys.models, queryFn: api.models, staleTime: 60_000 }),
  members: () =>
    queryOptions({ queryKey: keys.members, queryFn: ({ signal }) => api.members(signal), staleTime: 60_000 }),
  invitations: () =>
    queryOptions({ queryKey: keys.invitations, queryFn: ({ signal }) => api.invitations(signal) }),
  memberFactors: () =>
    queryOptions({ queryKey: keys.memberFactors, queryFn: ({ signal }) => api.memberFactors(signal) }),
  secondFactor: () => queryOptions({ queryKey: keys.secondFactor, queryFn: api.secondFactor }),
  signUp: () => queryOptions({ queryKey: keys.signUp, queryFn: api.signUp }),
  sealKeys: () => queryOptions({ queryKey: keys.sealKeys, queryFn: api.sealKeys }),
  // A host that cannot isolate is tried again by the server, so it is asked again.
  sandbox: () =>
    queryOptions({
      queryKey: keys.sandbox,
      queryFn: ({ signal }) => api.sandbox(signal),
      staleTime: 60_000,
      refetchInterval: (query) => (query.state.data?.usable === false ? 15_000 : false),
    }),
  backups: () =>
    queryOptions({ queryKey: keys.backups, queryFn: ({ signal }) => api.backups(signal), staleTime: 15_000 }),
  // It is measured in the background; while it is, one looks again.
  disk: () =>
    queryOptions({
      queryKey: keys.disk,
      queryFn: ({ signal }) => api.disk(signal),
      staleTime: 0,
      refetchInterval: (query) => {
        const standing = query.state.data;
        return standing?.measuring || standing?.tidiness.runningSince ? 2_000 : 30_000;
      },
    }),
  retention: () => queryOptions({ queryKey: keys.retention, queryFn: api.retention, staleTime: 60_000 }),
  mail: () => queryOptions({ queryKey: keys.mail, queryFn: api.mail, refetchInterval: 15_000 }),
  audit: (filter: AuditFilter) =>
    infiniteQueryOptions({
      queryKey: [...keys.audit, filter],
      queryFn: ({ pageParam, signal }) => api.audit(filter, pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
    }),
  prices: () => queryOptions({ queryKey: keys.prices, queryFn: api.prices, staleTime: 60_000 }),
  // The ledger grows with each call; who looks at it for long sees it grow.
  usage: (asked: UsageAsked) =>
    queryOptions({
      queryKey: [...keys.usage, asked],
      queryFn: ({ signal }) => api.usage(asked, signal),
      staleTime: 15_000,
      refetchInterval: 60_000,
      placeholderData: keepPreviousData,
    }),
  budgets: () =>
    queryOptions({
      queryKey: keys.budgets,
      queryFn: api.budgets,
      staleTime: 15_000,
      refetchInterval: 60_000,
    }),
  // The socket says when there is more, or less.
  unread: () =>
    queryOptions({ queryKey: keys.unread, queryFn: async () => (await api.unread()).unread, ...LIVE }),
  notifications: (unread: boolean) =>
    infiniteQueryOptions({
      queryKey: [...keys.notifications, "list", unread],
      queryFn: ({ pageParam, signal }) => api.notifications(unread, pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
      ...LIVE,
    }),
  mailChoices: () => queryOptions({ queryKey: keys.mailChoices, queryFn: api.mailChoices }),
  webhooks: (team: boolean) =>
    queryOptions({ queryKey: keys.webhooks(team), queryFn: async () => (await api.webhooks(team)).items }),
  deliveries: (team: boolean, id: string) =>
    queryOptions({
      queryKey: keys.deliveries(id),
      queryFn: async () => (await api.deliveries(team, id)).items,
      // Something is on its way: look again soon.
      refetchInterval: ({ state }) => (state.data?.some(onItsWay) ? 1_500 : 15_000),
    }),
  // The socket says when one is raised or over; how its figure goes, it does not.
  openAlerts: () =>
    queryOptions({
      queryKey: [...keys.alerts, "open"],
      queryFn: ({ signal }) => api.openAlerts(signal),
      staleTime: 15_000,
      refetchInterval: ({ state }) => (state.data?.length ? 15_000 : false),
    }),
  alertHistory: () =>
    infiniteQueryOptions({
      queryKey: [...keys.alerts, "history"],
      queryFn: ({ pageParam, signal }) => api.alertHistory(pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
    }),
  thresholds: () => queryOptions({ queryKey: keys.thresholds, queryFn: api.thresholds }),
  // A server that went away is told by no event.
  strain: () =>
    queryOptions({
      queryKey: keys.strain,
      queryFn: ({ signal }) => api.strain(signal),
      staleTime: 60_000,
      refetchInterval: ({ state }) => (state.data?.strain ? 30_000 : false),
    }),
  limits: () => queryOptions({ queryKey: keys.limits, queryFn: api.limits, staleTime: 60_000 }),
  suggestions: () => queryOptions({ queryKey: keys.suggestions, queryFn: api.suggestions, ...LIVE }),
  projects: () =>
    queryOptions({
      queryKey: keys.projects,
      queryFn: async ({ signal }) => {
        const began = performance.now();
        const list = await api.projects(signal);
        return list.map((item) => ({ ...item, ...broughtSince<Project>("project", item.id, began) }));
      },
      ...LIVE,
    }),
  project: (id: string) =>
    queryOptions({
      queryKey: keys.project(id),
      queryFn: () => fetchUnder("project", id, () => api.project(id)),
      ...LIVE,
    }),
  commits: (id: string, branch?: string) =>
    queryOptions({
      queryKey: [...keys.commits(id), branch ?? null],
      queryFn: () => api.commits(id, branch === undefined ? { limit: 50 } : { branch, limit: 50 }),
    }),
  // What the socket tells makes these stale; that a window opens, time tells.
  autoMode: (projectId: string) =>
    queryOptions({
      queryKey: keys.autoMode(projectId),
      queryFn: ({ signal }) => api.autoMode(projectId, signal),
      staleTime: 30_000,
    }),
  queue: (projectId: string) =>
    queryOptions({
      queryKey: keys.queue(projectId),
      queryFn: async ({ signal }) => (await api.queue(projectId, signal)).items,
      staleTime: 30_000,
    }),
  teamQueue: () =>
    queryOptions({
      queryKey: keys.teamQueue,
      queryFn: async ({ signal }) => (await api.teamQueue(signal)).items,
      staleTime: 30_000,
    }),
  atWork: () =>
    queryOptions({
      queryKey: keys.atWork,
      queryFn: async ({ signal }) => (await api.atWork(signal)).items,
      staleTime: 30_000,
    }),
  autoModes: () =>
    queryOptions({
      queryKey: keys.autoModes,
      queryFn: async ({ signal }) => (await api.autoModes(signal)).items,
      staleTime: 30_000,
    }),
  latestReport: () =>
    queryOptions({
      queryKey: keys.latestReport,
      queryFn: ({ signal }) => api.latestReport(signal),
      ...LIVE,
    }),
  reports: () =>
    infiniteQueryOptions({
      queryKey: keys.reports,
      queryFn: ({ pageParam, signal }) => api.reports(pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (last) => last.next ?? undefined,
    }),
  reportSettings: () => queryOptions({ queryKey: keys.reportSettings, queryFn: api.reportSettings }),
  board: (projectId: string) =>
    queryOptions({
      queryKey: keys.board(projectId),
      queryFn: async ({ signal }) =>
        overlay(projectId, await api.features(projectId, undefined, signal), () => true),
      ...LIVE,
    }),
  active: (projectId: string) =>
    queryOptions({
      queryKey: keys.active(projectId),
      queryFn: async ({ signal }) =>
        overlay(projectId, await api.features(projectId, [...ACTIVE], signal), isActive),
      ...LIVE,
    }),
  feature: (id: string) =>
    queryOptions({
      queryKey: keys.feature(id),
      queryFn: () => fetchUnder("feature", id, () => api.feature(id)),
      ...LIVE,
    }),
  runs: (featureId: string) =>
    queryOptions({
      queryKey: keys.runs(featureId),
      queryFn: async () => {
        const began = performance.now();
        const { items } = await api.runs(featureId);
        return items.map((run) => broughtSince<Run>("run", run.id, began) ?? run);
      },
      ...LIVE,
    }),
  diff: (featureId: string) =>
    queryOptions({
      queryKey: keys.diff(featureId),
      queryFn: ({ signal }) => api.diff(featureId, signal),
      ...LIVE,
    }),
  attachments: (featureId: string) =>
    queryOptions({
      queryKey: keys.attachments(featureId),
      queryFn: async () => (await api.attachments(featureId)).items,
      staleTime: 60_000,
    }),
  run: (id: string) =>
    queryOptions({
      queryKey: keys.run(id),
      queryFn: () => fetchUnder("run", id, () => api.run(id)),
      ...LIVE,
    }),
  runEvents: (id: string) =>
    queryOptions({
      queryKey: keys.runEvents(id),
      queryFn: async ({ signal }) => {
        const [arrived, stop] = collectRunEvents(id);
        try {
          const events: RunHistoryEvent[] = [];
          let after: number | null = 0;
          while (after !== null) {
            const page: { items: RunHistoryEvent[]; next: number | null } = await api.runEvents(
              id,
              after,
              signal,
            );
            events.push(...page.items);
            after = page.next;
          }
          return joinEvents(events, arrived);
        } finally {
          stop();
        }
      },
      ...LIVE,
    }),
  checks: (runId: string) =>
    queryOptions({
      queryKey: keys.checks(runId),
      queryFn: async () => (await api.checks(runId)).items,
      ...LIVE,
    }),
};

const NONE = "";

/** The member who is signed in. */
export const useMe = () => useQuery(queries.me());
/** Whether the member may do this; false until it is known. */
export function useMay(right: RightName): boolean {
  return useMe().data?.rights.includes(right) ?? false;
}
export const useProjects = () => useQuery(queries.projects());
export const useProject = (id: string) => useQuery(queries.project(id));
/** All cards of a project, in board order, kept in step by the socket. */
export const useBoard = (projectId: string) => useQuery(queries.board(projectId));
/** One feature with its texts, kept in step by the socket. */
export const useFeature = (id: string, enabled = true) => useQuery({ ...queries.feature(id), enabled });
/** The runs of a feature, the latest first, kept in step by the socket. */
export const useRuns = (featureId: string) => useQuery(queries.runs(featureId));
/** One run, kept in step by the socket. Asks nothing while there is no id. */
export const useRun = (id: string | null | undefined) =>
  useQuery({ ...queries.run(id ?? NONE), enabled: Boolean(id) });
/** The whole history of a run, ascending, kept in step by the socket. */
export const useRunEvents = (id: string | null | undefined) =>
  useQuery({ ...queries.runEvents(id ?? NONE), enabled: Boolean(id) });
/** The checks of a run, the latest first, kept in step by the socket. */
export const useChecks = (runId: string | null | undefined) =>
  useQuery({ ...queries.checks(runId ?? NONE), enabled: Boolean(runId) });
export const useDiff = (featureId: string, enabled = true) =>
  useQuery({ ...queries.diff(featureId), enabled, retry: false });
export const useAttachments = (featureId: string) => useQuery(queries.attachments(featureId));
export const useModels = () => useQuery(queries.models());
export const useMembers = () => useQuery(queries.members());

/** How much the member has not read. */
export const useUnread = () => useQuery(queries.unread()).data ?? 0;
