import { all, body, client, path, send } from "./client";
import type {
  AskForecast,
  Asking,
  Attachment,
  AuditFilter,
  ConfirmProof,
  EnhanceText,
  FeatureCard,
  FeatureDraft,
  FeaturePatch,
  FeatureStatus,
  Invitation,
  LimitsChange,
  MailChoice,
  Member,
  MemberPatch,
  MemberRole,
  PlanApproved,
  PlanRejected,
  PriceDraft,
  ProfilePatch,
  ProjectChange,
  ProjectListItem,
  ProjectSource,
  ProviderKind,
  Retention,
  RunHistoryEvent,
  SamplesAsked,
  Scope,
  SecondFactorSetting,
  SetAutoMode,
  SignUpSetting,
  Thresholds,
  TokenDraft,
  UpdateProject,
  UsageAsked,
  WebhookDraft,
} from "./types";

const MOST = 500;
const AUDIT_PAGE = 100;
const NOTIFICATIONS_PAGE = 30;
const ALERTS_PAGE = 50;

/** Leaves out what is not there, so that it is not sent as an empty value. */
function given<T extends Record<string, unknown>>(query: T): { [K in keyof T]: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value != null)) as never;
}

const attachmentUrl = (id: string) => `/api/attachments/${id}`;
const fileUrl = (id: string, file: string, side: "base" | "head") =>
  `/api/features/${id}/files?${new URLSearchParams({ path: file, side })}`;

const auditExportUrl = (filter: AuditFilter) => {
  const query = new URLSearchParams(filter as Record<string, string>).toString();
  return `/api/audit/export${query === "" ? "" : `?${query}`}`;
};

/** The requests that the page makes, one function each; what a single part of it asks for alone stands with that part. */
export const api = {
  authStatus: () => body(client.GET("/api/auth/status")),
  me: () => body(client.GET("/api/auth/me")),
  /** Makes an account; nothing when a mail says how to go on. */
  register: async (account: { email: string; password: string; name: string; invitation?: string }) => {
    const made = await body(client.POST("/api/auth/register", { body: account }));
    return "id" in made ? made : null;
  },
  finishSignUp: (code: string, password: string) =>
    body(client.POST("/api/auth/register/finish", { body: { code, password } })),
  forgotPassword: (email: string) => body(client.POST("/api/auth/forgot", { body: { email } })),
  login: (account: { email: string; password: string }) =>
    body(client.POST("/api/auth/login", { body: account })),
  logout: () => body(client.POST("/api/auth/logout")),
  updateMe: (change: ProfilePatch) => body(client.PATCH("/api/auth/me", { body: change })),
  confirm: (proof: ConfirmProof) => body(client.POST("/api/auth/confirm", { body: proof })),
  askToConfirm: () => body(client.POST("/api/auth/confirm/passkey")),
  factors: () => body(client.GET("/api/auth/factors")),
  beginSignIn: (name: string, begin: { invitation?: string; to?: string }) =>
    body(client.POST("/api/auth/oidc/{name}", { params: { path: { name } }, body: begin })),
  identities: () => body(client.GET("/api/auth/identities")),
  linkIdentity: (provider: string) => body(client.POST("/api/auth/identities", { body: { provider } })),
  unlinkIdentity: (id: string) => body(client.DELETE("/api/auth/identities/{id}", path(id))),
  confirmByProvider: (provider: string) =>
    body(client.POST("/api/auth/confirm/provider", { body: { provider } })),
  removeAvatar: () => body(client.DELETE("/api/auth/avatar")),
  invitationCard: (code: string) => body(client.POST("/api/auth/invitation", { body: { code } })),
  resetPassword: (code: string, password: string) =>
    body(client.POST("/api/auth/reset", { body: { code, password } })),
  sessions: () => body(client.GET("/api/auth/sessions")),
  endSession: (id: string) => body(client.DELETE("/api/auth/sessions/{id}", path(id))),
  endOtherSessions: () => body(client.DELETE("/api/auth/sessions")),
  tokens: () => body(client.GET("/api/auth/tokens")),
  createToken: (token: TokenDraft) => body(client.POST("/api/auth/tokens", { body: token })),
  clients: () => body(client.GET("/api/auth/clients")),
  disconnectClient: (id: string) => body(client.DELETE("/api/auth/clients/{id}", path(id))),
  consent: (asking: Asking) => body(client.GET("/api/oauth/consent", { params: { query: asking } })),
  allowClient: (asking: Asking, scopes: Scope[]) =>
    body(client.POST("/api/oauth/consent", { body: { asking, scopes } })),
  revokeToken: (id: string) => body(client.DELETE("/api/auth/tokens/{id}", path(id))),

  credentials: () => body(client.GET("/api/user/credentials")),
  putCredential: (provider: ProviderKind, credential: { key: string; baseUrl?: string }) =>
    body(
      client.PUT("/api/user/credentials/{provider}", { params: { path: { provider } }, body: credential }),
    ),
  deleteCredential: (provider: ProviderKind) =>
    body(client.DELETE("/api/user/credentials/{provider}", { params: { path: { provider } } })),
  testCredential: (provider: ProviderKind) =>
    body(client.POST("/api/user/credentials/{provider}/test", { params: { path: { provider } } })),

  teamCredentials: () => body(client.GET("/api/settings/credentials")),
  putTeamCredential: (provider: ProviderKind, credential: { key: string; baseUrl?: string }) =>
    body(
      client.PUT("/api/settings/credentials/{provider}", {
        params: { path: { provider } },
        body: credential,
      }),
    ),
  deleteTeamCredential: (provider: ProviderKind) =>
    body(client.DELETE("/api/settings/credentials/{provider}", { params: { path: { provider } } })),
  testTeamCredential: (provider: ProviderKind) =>
    body(client.POST("/api/settings/credentials/{provider}/test", { params: { path: { provider } } })),

  models: () => body(client.GET("/api/models")),
  members: (signal?: AbortSignal) =>
    all<Member>((after) =>
      body(
        client.GET("/api/members", {
          params: { query: given({ after, limit: MOST }) },
          signal: signal ?? null,
        }),
      ),
    ),
  /** The ids of those members who have a second factor. Told to admins alone. */
  memberFactors: async (signal?: AbortSignal) => {
    const ids: string[] = [];
    await all<Member>(async (after) => {
      const page = await body(
        client.GET("/api/members", {
          params: { query: given({ after, limit: MOST }) },
          signal: signal ?? null,
        }),
      );
      ids.push(...(page.withSecondFactor ?? []));
      return page;
    });
    return ids;
  },
  takeFactors: (id: string) => body(client.DELETE("/api/members/{id}/factors", path(id))),
  updateMember: (id: string, change: MemberPatch) =>
    body(client.PATCH("/api/members/{id}", { ...path(id), body: change })),
  signOutMember: (id: string) => body(client.POST("/api/members/{id}/sign-out", path(id))),
  resetLink: (id: string) => body(client.POST("/api/members/{id}/reset-link", path(id))),
  invitations: (signal?: AbortSignal) =>
    all<Invitation>((after) =>
      body(
        client.GET("/api/invitations", {
          params: { query: given({ after, limit: MOST }) },
          signal: signal ?? null,
        }),
      ),
    ),
  invite: (invitation: { email: string; role: MemberRole; mail: boolean }) =>
    body(client.POST("/api/invitations", { body: invitation })),
  revokeInvitation: (id: string) => body(client.DELETE("/api/invitations/{id}", path(id))),
  mail: () => body(client.GET("/api/mail")),
  testMail: () => body(client.POST("/api/mail/test")),
  signUp: () => body(client.GET("/api/settings/sign-up")),
  putSignUp: (setting: SignUpSetting) => body(client.PUT("/api/settings/sign-up", { body: setting })),
  sealKeys: async () => (await body(client.GET("/api/settings/keys"))).items,
  secondFactor: () => body(client.GET("/api/settings/second-factor")),
  putSecondFactor: (setting: SecondFactorSetting) =>
    body(client.PUT("/api/settings/second-factor", { body: setting })),
  audit: (filter: AuditFilter, after: string | undefined, signal?: AbortSignal) =>
    body(
      client.GET("/api/audit", {
        params: {
          query: { ...filter, ...(after === undefined ? {} : { after: Number(after) }), limit: AUDIT_PAGE },
        },
        signal: signal ?? null,
      }),
    ),
  auditExportUrl,
  unread: () => body(client.GET("/api/notifications/unread")),
  notifications: (unread: boolean, cursor: string | undefined, signal?: AbortSignal) =>
    body(
      client.GET("/api/notifications", {
        params: { query: { unread, limit: NOTIFICATIONS_PAGE, ...given({ cursor }) } },
        signal: signal ?? null,
      }),
    ),
  readNotifications: (what: { id: string } | { featureId: string } | { upTo: number }) =>
    body(client.POST("/api/notifications/read", { body: what })),
  mailChoices: () => body(client.GET("/api/notifications/settings")),
  putMailChoices: (items: MailChoice[]) =>
    body(client.PUT("/api/notifications/settings", { body: { items } })),
  webhooks: (team: boolean) =>
    team ? body(client.GET("/api/settings/webhooks")) : body(client.GET("/api/webhooks")),
  createWebhook: (team: boolean, webhook: WebhookDraft) =>
    team
      ? body(client.POST("/api/settings/webhooks", { body: webhook }))
      : body(client.POST("/api/webhooks", { body: webhook })),
  changeWebhook: (team: boolean, id: string, change: Partial<WebhookDraft>) =>
    team
      ? body(client.PATCH("/api/settings/webhooks/{id}", { ...path(id), body: change }))
      : body(client.PATCH("/api/webhooks/{id}", { ...path(id), body: change })),
  deleteWebhook: (team: boolean, id: string) =>
    team
      ? body(client.DELETE("/api/settings/webhooks/{id}", path(id)))
      : body(client.DELETE("/api/webhooks/{id}", path(id))),
  renewWebhookSecret: (team: boolean, id: string) =>
    team
      ? body(client.POST("/api/settings/webhooks/{id}/secret", path(id)))
      : body(client.POST("/api/webhooks/{id}/secret", path(id))),
  testWebhook: (team: boolean, id: string) =>
    team
      ? body(client.POST("/api/settings/webhooks/{id}/test", path(id)))
      : body(client.POST("/api/webhooks/{id}/test", path(id))),
  deliveries: (team: boolean, id: string) =>
    team
      ? body(client.GET("/api/settings/webhooks/{id}/deliveries", path(id)))
      : body(client.GET("/api/webhooks/{id}/deliveries", path(id))),
  sendAgain: (team: boolean, id: string, deliveryId: string) =>
    team
      ? body(client.POST("/api/settings/webhooks/{id}/send-again", { ...path(id), body: { deliveryId } }))
      : body(client.POST("/api/webhooks/{id}/send-again", { ...path(id), body: { deliveryId } })),
  limits: () => body(client.GET("/api/settings/limits")),
  changeLimits: (change: LimitsChange) =>
    body(client.PATCH("/api/settings/limits", { body: change as never })),
  prices: () => body(client.GET("/api/settings/prices")),
  putPrice: (price: PriceDraft) => body(client.PUT("/api/settings/prices", { body: price })),
  deletePrice: (id: string) => body(client.DELETE("/api/settings/prices/{id}", path(id))),
  usage: (asked: UsageAsked, signal?: AbortSignal) =>
    body(client.GET("/api/usage", { params: { query: asked }, signal: signal ?? null })),
  operation: (signal?: AbortSignal) => body(client.GET("/api/operation", { signal: signal ?? null })),
  samples: (asked: SamplesAsked, signal?: AbortSignal) =>
    body(client.GET("/api/operation/samples", { params: { query: asked }, signal: signal ?? null })),
  budgets: () => body(client.GET("/api/budgets")),
  putTeamBudget: (monthMicros: number | null) =>
    body(client.PUT("/api/settings/budgets", { body: { monthMicros } })),
  giveBudget: (id: string, monthMicros: number | null) =>
    body(client.PUT("/api/members/{id}/budget", { ...path(id), body: { monthMicros } })),
  putOwnBudget: (monthMicros: number | null) =>
    body(client.PUT("/api/budgets/own", { body: { monthMicros } })),
  allowCost: (id: string, micros: number) =>
    body(client.POST("/api/features/{id}/allow-cost", { ...path(id), body: { micros } })),
  suggestions: () => body(client.GET("/api/sample/suggestions")),

  projects: (signal?: AbortSignal) =>
    all<ProjectListItem>((after) =>
      body(
        client.GET("/api/projects", {
          params: { query: given({ after, limit: MOST }) },
          signal: signal ?? null,
        }),
      ),
    ),
  project: (id: string) => body(client.GET("/api/projects/{id}", path(id))),
  createProject: (project: { name: string; source: ProjectSource }) =>
    body(client.POST("/api/projects", { body: project })),
  updateProject: (id: string, change: ProjectChange) =>
    body(client.PATCH("/api/projects/{id}", { ...path(id), body: change as UpdateProject })),
  autoMode: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/projects/{id}/auto-mode", { ...path(id), signal: signal ?? null })),
  setAutoMode: (id: string, change: SetAutoMode) =>
    body(client.POST("/api/projects/{id}/auto-mode", { ...path(id), body: change })),
  queue: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/projects/{id}/queue", { ...path(id), signal: signal ?? null })),
  teamQueue: (signal?: AbortSignal) => body(client.GET("/api/queue", { signal: signal ?? null })),
  atWork: (signal?: AbortSignal) => body(client.GET("/api/agents/at-work", { signal: signal ?? null })),
  autoModes: (signal?: AbortSignal) => body(client.GET("/api/auto-modes", { signal: signal ?? null })),
  forecast: (id: string, ask: AskForecast, signal?: AbortSignal) =>
    body(
      client.POST("/api/projects/{id}/auto-mode/forecast", {
        ...path(id),
        body: ask,
        signal: signal ?? null,
      }),
    ),
  latestReport: async (signal?: AbortSignal) =>
    (await body(client.GET("/api/reports/latest", { signal: signal ?? null }))).report,
  reports: (after: string | undefined, signal?: AbortSignal) =>
    body(
      client.GET("/api/reports", { params: { query: given({ after, limit: 20 }) }, signal: signal ?? null }),
    ),
  readReport: (id: string) => body(client.POST("/api/reports/{id}/read", path(id))),
  reportSettings: () => body(client.GET("/api/report-settings")),
  stopAll: () => body(client.POST("/api/agents/stop-all")),
  archiveProject: (id: string) => body(client.DELETE("/api/projects/{id}", path(id))),
  retryProject: (id: string) => body(client.POST("/api/projects/{id}/retry", path(id))),
  commits: (id: string, query: { branch?: string; skip?: number; limit?: number }) =>
    body(client.GET("/api/projects/{id}/commits", { params: { path: { id }, query } })),

  features: (projectId: string, status?: FeatureStatus[], signal?: AbortSignal) =>
    all<FeatureCard>((after) =>
      body(
        client.GET("/api/projects/{id}/features", {
          params: {
            path: { id: projectId },
            query: given({ status: status?.join(","), after, limit: MOST }),
          },
          signal: signal ?? null,
        }),
      ),
    ),
  /** Cards of a project with this text in title or description, the first of them. */
  findFeatures: async (projectId: string, q: string, limit: number, signal?: AbortSignal) =>
    (
      await body(
        client.GET("/api/projects/{id}/features", {
          params: { path: { id: projectId }, query: { q, limit } },
          signal: signal ?? null,
        }),
      )
    ).items,
  createFeature: (projectId: string, draft: FeatureDraft) =>
    body(client.POST("/api/projects/{id}/features", { ...path(projectId), body: draft })),
  feature: (id: string) => body(client.GET("/api/features/{id}", path(id))),
  updateFeature: (id: string, change: FeaturePatch) =>
    body(client.PATCH("/api/features/{id}", { ...path(id), body: change })),
  enhance: (projectId: string, ask: EnhanceText) =>
    body(client.POST("/api/projects/{id}/enhance", { ...path(projectId), body: ask })),
  task: (id: string) => body(client.GET("/api/tasks/{id}", path(id))),
  featureTexts: (id: string) => body(client.GET("/api/features/{id}/versions", path(id))),
  featureText: (id: string, number: number) =>
    body(client.GET("/api/features/{id}/versions/{number}", { params: { path: { id, number } } })),
  eraseFeatureText: (id: string, number: number) =>
    body(client.DELETE("/api/features/{id}/versions/{number}", { params: { path: { id, number } } })),
  restoreFeatureText: (id: string, number: number, expectVersion: number) =>
    body(
      client.POST("/api/features/{id}/versions/{number}/restore", {
        params: { path: { id, number } },
        body: { expectVersion },
      }),
    ),
  deleteFeature: (id: string) => body(client.DELETE("/api/features/{id}", path(id))),
  start: (id: string) => body(client.POST("/api/features/{id}/start", path(id))),
  retry: (id: string) => body(client.POST("/api/features/{id}/retry", path(id))),
  stop: (id: string) => body(client.POST("/api/features/{id}/stop", path(id))),
  followUp: (id: string, message: string) =>
    body(client.POST("/api/features/{id}/follow-up", { ...path(id), body: { message } })),
  plans: (id: string) => body(client.GET("/api/features/{id}/plans", path(id))),
  approvePlan: (id: string, yes: PlanApproved) =>
    body(client.POST("/api/features/{id}/approve-plan", { ...path(id), body: yes })),
  rejectPlan: (id: string, no: PlanRejected) =>
    body(client.POST("/api/features/{id}/reject-plan", { ...path(id), body: no })),
  verify: (id: string) => body(client.POST("/api/features/{id}/verify", path(id))),
  merge: (id: string, message?: string) =>
    body(
      client.POST("/api/features/{id}/merge", {
        ...path(id),
        body: message === undefined ? {} : { message },
      }),
    ),
  shelve: (id: string) => body(client.POST("/api/features/{id}/shelve", path(id))),
  runs: (id: string) => body(client.GET("/api/features/{id}/runs", path(id))),
  diff: (id: string, signal?: AbortSignal) =>
    body(client.GET("/api/features/{id}/diff", { ...path(id), signal: signal ?? null })),
  /** A file's text at one side of the work. */
  file: async (id: string, file: string, side: "base" | "head", signal?: AbortSignal) =>
    (await send(fileUrl(id, file, side), { signal: signal ?? null })).text(),
  fileUrl,
  attachments: (id: string) => body(client.GET("/api/features/{id}/attachments", path(id))),
  attach: async (id: string, file: File): Promise<Attachment> => {
    const form = new FormData();
    form.set("file", file, file.name);
    return (await send(`/api/features/${id}/attachments`, { method: "POST", body: form })).json();
  },
  attachmentUrl,
  /** A page of the learnings that wait for a member, without their texts. */
  proposedLearnings: (after?: string) =>
    body(
      client.GET("/api/knowledge/learnings", {
        params: { query: { review: "proposed", limit: MOST, ...(after === undefined ? {} : { after }) } },
      }),
    ),
  /** Items of the hub that answer what is typed, the best first. */
  findKnowledge: async (q: string, limit: number, signal?: AbortSignal) =>
    (
      await body(
        client.GET("/api/knowledge/search", { params: { query: { q, limit } }, signal: signal ?? null }),
      )
    ).items,
  deleteAttachment: (id: string) => body(client.DELETE("/api/attachments/{id}", path(id))),

  run: (id: string) => body(client.GET("/api/runs/{id}", path(id))),
  runEvents: async (id: string, after: number, signal?: AbortSignal) => {
    const page = await body(
      client.GET("/api/runs/{id}/events", {
        params: { path: { id }, query: { after, limit: MOST } },
        signal: signal ?? null,
      }),
    );
    // The route lists nothing but what happened in this run.
    return page as { items: RunHistoryEvent[]; next: number | null };
  },
  checks: (id: string) => body(client.GET("/api/runs/{id}/checks", path(id))),
  steps: (id: string) => body(client.GET("/api/runs/{id}/steps", path(id))),
  runGuide: (id: string) => body(client.GET("/api/runs/{id}/guide", path(id))),
  services: (id: string) => body(client.GET("/api/runs/{id}/services", path(id))),
  startService: (id: string, wish: { name: string; command: string; port?: number }) =>
    body(client.POST("/api/runs/{id}/services", { ...path(id), body: wish })),
  serviceLog: (id: string, name: string) =>
    body(
      client.GET("/api/runs/{id}/services/{name}/log", {
        params: { path: { id, name }, query: { lines: 5000 } },
      }),
    ),
  stopService: (id: string, name: string) =>
    body(client.POST("/api/runs/{id}/services/{name}/stop", { params: { path: { id, name } } })),
  openPreview: (id: string, name: string) =>
    body(client.POST("/api/runs/{id}/services/{name}/preview", { params: { path: { id, name } } })),
  backups: (signal?: AbortSignal) => body(client.GET("/api/operation/backups", { signal: signal ?? null })),
  openAlerts: async (signal?: AbortSignal) =>
    (
      await body(
        client.GET("/api/alerts", {
          params: { query: { open: true, limit: MOST } },
          signal: signal ?? null,
        }),
      )
    ).items,
  alertHistory: (cursor: string | undefined, signal?: AbortSignal) =>
    body(
      client.GET("/api/alerts", {
        params: { query: { open: false, limit: ALERTS_PAGE, ...given({ cursor }) } },
        signal: signal ?? null,
      }),
    ),
  silenceAlert: (id: string, minutes: number | null) =>
    body(client.POST("/api/alerts/{id}/silence", { ...path(id), body: { minutes } })),
  thresholds: () => body(client.GET("/api/settings/alerts")),
  changeThresholds: (change: Partial<Thresholds>) =>
    body(client.PATCH("/api/settings/alerts", { body: change as Thresholds })),
  strain: (signal?: AbortSignal) => body(client.GET("/api/strain", { signal: signal ?? null })),
  sandbox: (signal?: AbortSignal) => body(client.GET("/api/sandbox", { signal: signal ?? null })),
  disk: (signal?: AbortSignal) => body(client.GET("/api/operation/disk", { signal: signal ?? null })),
  retention: () => body(client.GET("/api/settings/retention")),
  changeRetention: (change: Partial<Retention>) =>
    body(client.PATCH("/api/settings/retention", { body: change as Retention })),
};
