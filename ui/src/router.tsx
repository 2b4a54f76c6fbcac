import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { queries } from "@/api/queries";
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
  component: lazyRouteComponent(() => import("@/routes/setup")),
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
  component: lazyRouteComponent(() => import("@/routes/login")),
});

const signUp = createRoute({
  getParentRoute: () => root,
  path: "/join",
  beforeLoad: async () => {
    const { setUp } = await queryClient.fetchQuery(queries.authStatus());
    if (!setUp) throw redirect({ to: "/setup", replace: true });
  },
  component: lazyRouteComponent(() => import("@/routes/join")),
});

const join = createRoute({
  getParentRoute: () => root,
  path: "/join/$code",
  component: lazyRouteComponent(() => import("@/routes/join")),
});

const reset = createRoute({
  getParentRoute: () => root,
  path: "/reset/$code",
  component: lazyRouteComponent(() => import("@/routes/reset")),
});

const secondFactor = createRoute({
  getParentRoute: () => root,
  path: "/second-factor",
  beforeLoad: requireLacking,
  component: lazyRouteComponent(() => import("@/routes/second-factor")),
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
  component: lazyRouteComponent(() => import("@/routes/confirm")),
});

/** Where a program that a member wants to connect leads: what it asks for is one value, passed on to the letter. */
const consent = createRoute({
  getParentRoute: () => root,
  path: "/oauth/consent",
  validateSearch: (search: Record<string, unknown>): { ask?: string } =>
    typeof search.ask === "string" ? { ask: search.ask } : {},
  beforeLoad: ({ location }) => requireSession(location.href),
  component: lazyRouteComponent(() => import("@/routes/consent")),
});

const forgot = createRoute({
  getParentRoute: () => root,
  path: "/forgot",
  component: lazyRouteComponent(() => import("@/routes/forgot")),
});

const welcome = createRoute({
  getParentRoute: () => root,
  path: "/welcome/$code",
  component: lazyRouteComponent(() => import("@/routes/welcome")),
});

/** Everything for which one must be signed in. */
const frame = createRoute({
  getParentRoute: () => root,
  id: "frame",
  beforeLoad: ({ location }) => requireSession(location.href).then((me) => ({ me })),
  component: lazyRouteComponent(() => import("@/app/frame")),
});

const inbox = createRoute({
  getParentRoute: () => frame,
  path: "/",
  component: lazyRouteComponent(() => import("@/routes/inbox")),
});

const projects = createRoute({
  getParentRoute: () => frame,
  path: "/projects",
  validateSearch: (search: Record<string, unknown>): { add?: boolean } =>
    search.add === true ? { add: true } : {},
  component: lazyRouteComponent(() => import("@/routes/projects")),
});

/** What a board's address holds: the open feature, and what is looked for. */
export interface BoardSearch {
  f?: string;
  q?: string;
  category?: string;
  priority?: number;
}

const board = createRoute({
  getParentRoute: () => frame,
  path: "/p/$projectId",
  validateSearch: (search: Record<string, unknown>): BoardSearch => ({
    ...(typeof search.f === "string" ? { f: search.f } : {}),
    ...(typeof search.q === "string" && search.q !== "" ? { q: search.q } : {}),
    ...(typeof search.category === "string" && search.category !== "" ? { category: search.category } : {}),
    ...(typeof search.priority === "number" ? { priority: search.priority } : {}),
  }),
  loader: ({ params }) => {
    // Begun here, while the board's script is still on its way.
    void queryClient.prefetchQuery(queries.project(params.projectId));
    void queryClient.prefetchQuery(queries.board(params.projectId));
  },
  component: lazyRouteComponent(() => import("@/routes/board")),
});

const projectSettings = createRoute({
  getParentRoute: () => frame,
  path: "/p/$projectId/settings",
  component: lazyRouteComponent(() => import("@/routes/project-settings")),
});

const feature = createRoute({
  getParentRoute: () => frame,
  path: "/f/$featureId",
  loader: ({ params }) => void queryClient.prefetchQuery(queries.feature(params.featureId)),
  component: lazyRouteComponent(() => import("@/routes/feature")),
});

const notifications = createRoute({
  getParentRoute: () => frame,
  path: "/notifications",
  component: lazyRouteComponent(() => import("@/routes/notifications")),
});

const agents = createRoute({
  getParentRoute: () => frame,
  path: "/agents",
  component: lazyRouteComponent(() => import("@/routes/agents")),
});

const agentsLibrary = createRoute({
  getParentRoute: () => frame,
  path: "/agents-library",
  component: lazyRouteComponent(() => import("@/routes/agents-library")),
});

/** Which project's chats, and whether a new one is begun. */
const chats = createRoute({
  getParentRoute: () => frame,
  path: "/chat",
  validateSearch: (search: Record<string, unknown>): { p?: string; fresh?: true } => ({
    ...(typeof search.p === "string" ? { p: search.p } : {}),
    ...(search.fresh === true ? { fresh: true as const } : {}),
  }),
  component: lazyRouteComponent(() => import("@/routes/chat")),
});

const chat = createRoute({
  getParentRoute: () => frame,
  path: "/chat/$chatId",
  component: lazyRouteComponent(() => import("@/routes/chat")),
});

const systems = createRoute({
  getParentRoute: () => frame,
  path: "/systems",
  component: lazyRouteComponent(() => import("@/routes/systems")),
});

const system = createRoute({
  getParentRoute: () => frame,
  path: "/systems/$systemId",
  component: lazyRouteComponent(() => import("@/routes/system")),
});

const execution = createRoute({
  getParentRoute: () => frame,
  path: "/executions/$executionId",
  component: lazyRouteComponent(() => import("@/routes/execution")),
});

const reports = createRoute({
  getParentRoute: () => frame,
  path: "/reports",
  component: lazyRouteComponent(() => import("@/routes/reports")),
});

// The pages of the hub read their addresses themselves, so that no other view carries how.
const knowledge = createRoute({
  getParentRoute: () => frame,
  path: "/knowledge",
  validateSearch: (search: Record<string, unknown>) => search as HubSearch,
  component: lazyRouteComponent(() => import("@/routes/knowledge")),
});

const knowledgeReview = createRoute({
  getParentRoute: () => frame,
  path: "/knowledge/review",
  validateSearch: (search: Record<string, unknown>): { item?: string } =>
    typeof search.item === "string" ? { item: search.item } : {},
  component: lazyRouteComponent(() => import("@/routes/knowledge-review")),
});

const knowledgeNew = createRoute({
  getParentRoute: () => frame,
  path: "/knowledge/new",
  validateSearch: (search: Record<string, unknown>) => search as NewSearch,
  component: lazyRouteComponent(() => import("@/routes/knowledge-new")),
});

const knowledgeItem = createRoute({
  getParentRoute: () => frame,
  path: "/knowledge/$kind/$itemId",
  validateSearch: (search: Record<string, unknown>) => search as ItemSearch,
  component: lazyRouteComponent(() => import("@/routes/knowledge-item")),
});

const usage = createRoute({
  getParentRoute: () => frame,
  path: "/usage",
  // The page itself reads it, so that no other view carries how.
  validateSearch: (search: Record<string, unknown>) => search as UsageSearch,
  component: lazyRouteComponent(() => import("@/routes/usage")),
});

const team = createRoute({
  getParentRoute: () => frame,
  path: "/team",
  component: lazyRouteComponent(() => import("@/routes/team")),
});

const audit = createRoute({
  getParentRoute: () => frame,
  path: "/audit",
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import("@/routes/audit")),
});

const operation = createRoute({
  getParentRoute: () => frame,
  path: "/operation",
  component: lazyRouteComponent(() => import("@/routes/operation")),
});

const limits = createRoute({
  getParentRoute: () => frame,
  path: "/operation/limits",
  component: lazyRouteComponent(() => import("@/routes/limits")),
});

const backups = createRoute({
  getParentRoute: () => frame,
  path: "/operation/backups",
  component: lazyRouteComponent(() => import("@/routes/backups")),
});

const sandbox = createRoute({
  getParentRoute: () => frame,
  path: "/operation/sandbox",
  component: lazyRouteComponent(() => import("@/routes/sandbox")),
});

const alerts = createRoute({
  getParentRoute: () => frame,
  path: "/operation/alerts",
  component: lazyRouteComponent(() => import("@/routes/alerts")),
});

const disk = createRoute({
  getParentRoute: () => frame,
  path: "/operation/disk",
  component: lazyRouteComponent(() => import("@/routes/disk")),
});

const settings = createRoute({
  getParentRoute: () => frame,
  path: "/settings",
  validateSearch: problemOf,
  component: lazyRouteComponent(() => import("@/routes/settings")),
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
