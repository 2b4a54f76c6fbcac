import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { queries } from "@/api/queries";
import { lazyView } from "@/app/lazy";
import { queryClient } from "@/app/query-client";
import { NotFound, RouteError, RoutePending } from "@/app/route-states";
import { requireLacking, requireSession } from "@/app/session";
import { auditSearch } from "@/features/audit/search";
import type { HubSearch, ItemSearch, NewSearch } from "@/features/knowledge/search";
import type { UsageSearch } from "@/features/usage/search";

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({
  component: Outlet,
  errorComponent: RouteError,
  notFoundComponent: NotFound,
});

/** Why somebody came back from a provider without what they went for. */
const problemOf = (search: Record<string, unknown>): { problem?: string } =>
  typeof search.problem === "string" ? { problem: search.problem } : {};

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  beforeLoad: async () => {
    const { setUp } = await queryClient.fetchQuery({ ...queries.authStatus(), staleTime: 0 });
    if (setUp) throw redirect({ to: "/login", replace: true });
  },
  component: lazyView(() => import("@/routes/setup")),
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  // `step` asks for the second step of a sign-in that was begun elsewhere, such as at an identity provider.
  validateSearch: (search: Record<string, unknown>): { next?: string; step?: true; problem?: string } => ({
    ...(typeof search.next === "string" ? { next: search.next } : {}),
    ...(search.step === true ? { step: true as const } : {}),
    ...problemOf(search),
  }),
  beforeLoad: async () => {
    const { setUp } = await queryClient.fetchQuery(queries.authStatus());
    if (!setUp) throw redirect({ to: "/setup", replace: true });
  },
  component: lazyView(() => import("@/routes/login")),
});

const signUp = createRoute({
  getParentRoute: () => root,
  path: "/join",
  beforeLoad: async () => {
    const { setUp } = await queryClient.fetchQuery(queries.authStatus());
    if (!setUp) throw redirect({ to: "/setup", replace: true });
  },
  component: lazyView(() => import("@/routes/join")),
});

const join = createRoute({
  getParentRoute: () => root,
  path: "/join/$code",
  component: lazyView(() => import("@/routes/join")),
});

const reset = createRoute({
  getParentRoute: () => root,
  path: "/reset/$code",
  component: lazyView(() => import("@/routes/reset")),
});

const secondFactor = createRoute({
  getParentRoute: () => root,
  path: "/second-factor",
  beforeLoad: requireLacking,
  component: lazyView(() => import("@/routes/second-factor")),
});

/** In a window of its own: proves by a provider who one is. */
const confirm = createRoute({
  getParentRoute: () => root,
  path: "/confirm",
  validateSearch: (
    search: Record<string, unknown>,
  ): { provider?: string; done?: boolean; problem?: string } => ({
    ...(typeof search.provider === "string" ? { provider: search.provider } : {}),
    ...("done" in search ? { done: true } : {}),
    ...problemOf(search),
  }),
  component: lazyView(() => import("@/routes/confirm")),
});

/** Where a program that a member wants to connect leads: what it asks for is one value, passed on to the letter. */
const consent = createRoute({
  getParentRoute: () => root,
  path: "/oauth/consent",
  validateSearch: (search: Record<string, unknown>): { ask?: string } =>
    typeof search.ask === "string" ? { ask: search.ask } : {},
  beforeLoad: ({ location }) => requireSession(location.href),
  component: lazyView(() => import("@/routes/consent")),
});

const forgot = createRoute({
  getParentRoute: () => root,
  path: "/forgot",
  component: lazyView(() => import("@/routes/forgot")),
});

const welcome = createRoute({
  getParentRoute: () => root,
  path: "/welcome/$code",
  component: lazyView(() => import("@/routes/welcome")),
});

/** Everything for which one must be signed in. */
const frame = createRoute({
  getParentRoute: () => root,
  id: "frame",
  beforeLoad: ({ location }) => requireSession(location.href).then((me) => ({ me })),
  component: lazyView(() => import("@/app/frame")),
});

const inbox = createRoute({
  getParentRoute: () => frame,
  path: "/",
  component: lazyView(() => import("@/routes/inbox")),
});

const projects = createRoute({
  getParentRoute: () => frame,
  path: "/projects",
  validateSearch: (search: Record<string, unknown>): { add?: boolean } =>
    search.add === true ? { add: true } : {},
  component: lazyView(() => import("@/routes/projects")),
});

/** What a board's address holds: the open feature, what is looked for, and how it is shown where not as columns. */
export interface BoardSearch {
  f?: string;
  view?: "graph" | "list" | undefined;
  q?: string;
  category?: string;
  priority?: number;
  member?: string;
  agent?: string;
}

const board = createRoute({
  getParentRoute: () => frame,
  path: "/p/$projectId",
  validateSearch: (search: Record<string, unknown>): BoardSearch => ({
    ...(typeof search.f === "string" ? { f: search.f } : {}),
    ...(search.view === "graph" || search.view === "list" ? { view: search.view } : {}),
    ...(typeof search.q === "string" && search.q !== "" ? { q: search.q } : {}),
    ...(typeof search.category === "string" && search.category !== "" ? { category: search.category } : {}),
    ...(typeof search.priority === "number" ? { priority: search.priority } : {}),
    ...(typeof search.member === "string" && search.member !== "" ? { member: search.member } : {}),
    ...(typeof search.agent === "string" && search.agent !== "" ? { agent: search.agent } : {}),
  }),
  loader: ({ params }) => {
    // Begun here, while the board's script is still on its way.
    void queryClient.prefetchQuery(queries.project(params.projectId));
    void queryClient.prefetchQuery(queries.board(params.projectId));
  },
  component: lazyView(() => import("@/routes/board")),
});

const projectSettings = createRoute({
  getParentRoute: () => frame,
  path: "/p/$projectId/settings",
  component: lazyView(() => import("@/routes/project-settings")),
});

const feature = createRoute({
  getParentRoute: () => frame,
  path: "/f/$featureId",
  loader: ({ params }) => void queryClient.prefetchQuery(queries.feature(params.featureId)),
  component: lazyView(() => import("@/routes/feature")),
});

const notifications = createRoute({
  getParentRoute: () => frame,
  path: "/notifications",
  component: lazyView(() => import("@/routes/notifications")),
});

const agents = createRoute({
  getParentRoute: () => frame,
  path: "/agents",
  component: lazyView(() => import("@/routes/agents")),
});

const agentsLibrary = createRoute({
  getParentRoute: () => frame,
  path: "/agents-library",
  component: lazyView(() => import("@/routes/agents-library")),
});

/** Which project's chats, and whether a new one is begun. */
const chats = createRoute({
  getParentRoute: () => frame,
  path: "/chat",
  validateSearch: (search: Record<string, unknown>): { p?: string; fresh?: true } => ({
    ...(typeof search.p === "string" ? { p: search.p } : {}),
    ...(search.fresh === true ? { fresh: true as const } : {}),
  }),
  component: lazyView(() => import("@/routes/chat")),
});

const chat = createRoute({
  getParentRoute: () => frame,
  path: "/chat/$chatId",
  component: lazyView(() => import("@/routes/chat")),
});

const systems = createRoute({
  getParentRoute: () => frame,
  path: "/systems",
  component: lazyView(() => import("@/routes/systems")),
});

const system = createRoute({
  getParentRoute: () => frame,
  path: "/systems/$systemId",
  component: lazyView(() => import("@/routes/system")),
});

const execution = createRoute({
  getParentRoute: () => frame,
  path: "/executions/$executionId",
  component: lazyView(() => import("@/routes/execution")),
});

const reports = createRoute({
  getParentRoute: () => frame,
  path: "/reports",
  component: lazyView(() => import("@/routes/reports")),
});

// The pages of the hub read their addresses themselves, so that no other view carries how.
const knowledge = createRoute({
  getParentRoute: () => frame,
  path: "/knowledge",
  validateSearch: (search: Record<string, unknown>) => search as HubSearch,
  component: lazyView(() => import("@/routes/knowledge")),
});

const knowledgeReview = createRoute({
  getParentRoute: () => frame,
  path: "/knowledge/review",
  validateSearch: (search: Record<string, unknown>): { item?: string } =>
    typeof search.item === "string" ? { item: search.item } : {},
  component: lazyView(() => import("@/routes/knowledge-review")),
});

const knowledgeNew = createRoute({
  getParentRoute: () => frame,
  path: "/knowledge/new",
  validateSearch: (search: Record<string, unknown>) => search as NewSearch,
  component: lazyView(() => import("@/routes/knowledge-new")),
});

const knowledgeItem = createRoute({
  getParentRoute: () => frame,
  path: "/knowledge/$kind/$itemId",
  validateSearch: (search: Record<string, unknown>) => search as ItemSearch,
  component: lazyView(() => import("@/routes/knowledge-item")),
});

const usage = createRoute({
  getParentRoute: () => frame,
  path: "/usage",
  // The page itself reads it, so that no other view carries how.
  validateSearch: (search: Record<string, unknown>) => search as UsageSearch,
  component: lazyView(() => import("@/routes/usage")),
});

const team = createRoute({
  getParentRoute: () => frame,
  path: "/team",
  component: lazyView(() => import("@/routes/team")),
});

const audit = createRoute({
  getParentRoute: () => frame,
  path: "/audit",
  validateSearch: auditSearch,
  component: lazyView(() => import("@/routes/audit")),
});

const operation = createRoute({
  getParentRoute: () => frame,
  path: "/operation",
  component: lazyView(() => import("@/routes/operation")),
});

const limits = createRoute({
  getParentRoute: () => frame,
  path: "/operation/limits",
  component: lazyView(() => import("@/routes/limits")),
});

const backups = createRoute({
  getParentRoute: () => frame,
  path: "/operation/backups",
  component: lazyView(() => import("@/routes/backups")),
});

const sandbox = createRoute({
  getParentRoute: () => frame,
  path: "/operation/sandbox",
  component: lazyView(() => import("@/routes/sandbox")),
});

const alerts = createRoute({
  getParentRoute: () => frame,
  path: "/operation/alerts",
  component: lazyView(() => import("@/routes/alerts")),
});

const disk = createRoute({
  getParentRoute: () => frame,
  path: "/operation/disk",
  component: lazyView(() => import("@/routes/disk")),
});

const settings = createRoute({
  getParentRoute: () => frame,
  path: "/settings",
  // `token` opens the window for a new access token, with that scope chosen.
  validateSearch: (search: Record<string, unknown>): { problem?: string; token?: string } => ({
    ...problemOf(search),
    ...(typeof search.token === "string" ? { token: search.token } : {}),
  }),
  component: lazyView(() => import("@/routes/settings")),
});

export const router = createRouter({
  routeTree: root.addChildren([
    setup,
    login,
    signUp,
    join,
    reset,
    secondFactor,
    confirm,
    consent,
    forgot,
    welcome,
    frame.addChildren([
      inbox,
      notifications,
      projects,
      board,
      projectSettings,
      feature,
      agents,
      agentsLibrary,
      chats,
      chat,
      systems,
      system,
      execution,
      reports,
      knowledge,
      knowledgeReview,
      knowledgeNew,
      knowledgeItem,
      usage,
      team,
      audit,
      operation,
      limits,
      sandbox,
      backups,
      alerts,
      disk,
      settings,
    ]),
  ]),
  context: { queryClient },
  defaultPreload: "intent",
  defaultPreloadStaleTime: 0,
  defaultPendingMs: 200,
  defaultPendingComponent: RoutePending,
  defaultErrorComponent: RouteError,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
