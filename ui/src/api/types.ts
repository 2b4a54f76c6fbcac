// The domain's types, under the names by which the page calls them. They are the server's: `npm run api` writes
// schema.d.ts anew from its description.
import type * as Schema from "./schema";

export type {
  AfterWork,
  Agent,
  AgentRole,
  AgentStatus,
  Alert,
  AlertKind,
  AlertLevel,
  ApiToken,
  AskForecast,
  Asking,
  AtClose,
  Attachment,
  AuditAction,
  AuditEntry,
  AuditObject,
  AuditOutcome,
  AuthStatus,
  AutoMode,
  Awaits,
  Backup,
  BackupCause,
  BackupKind,
  BackupStatus,
  BackupsView,
  BudgetsView,
  Check,
  CheckStatus,
  Commit,
  Condition,
  ConflictFile,
  ConnectedClient,
  Consent,
  CreatedInvitation,
  CreatedToken,
  Credential,
  Credentials,
  Day,
  Delivery,
  DeliveryStatus,
  Diff,
  DiffFile,
  DiskReport,
  DiskStanding,
  Enhancement,
  EnhanceText,
  Execution,
  ExecutionStatus,
  ExecutionTask,
  ExecutionView,
  FactorList,
  FailurePolicy,
  Feature,
  FeatureCard,
  FeatureKind,
  FeatureStatus,
  FeatureText,
  FileStatus,
  Forecast,
  GuideUse,
  HeldCard,
  Hunk,
  InputField,
  InputSchema,
  Invitation,
  InvitationCard,
  KeySource,
  KeyTest,
  KnowledgeKind,
  KnowledgeReview,
  KnownPrice,
  KnownTool,
  Limits,
  ListedModel,
  LiveRun,
  Mail,
  MailChoice,
  Me,
  Member,
  MemberNow,
  MemberRole,
  Models,
  MonthStanding,
  NetworkPolicy,
  NetworkSettings,
  NodeNow,
  NotBegun,
  Notification,
  NotificationKind,
  Operation,
  Operator,
  Outcome,
  OutputStream,
  Passkey,
  PipelineStep,
  Plan,
  PlannedTask,
  PlanningMode,
  Position,
  PriceRow,
  Problem,
  Project,
  ProjectListItem,
  ProjectNetwork,
  ProjectRemote,
  ProjectSecret,
  ProjectSettings,
  ProjectSource,
  ProjectStatus,
  ProviderKind,
  QrPicture,
  QueueItem,
  RateLimit,
  RateLimits,
  RefusedHost,
  Report,
  ReportCard,
  ReportCause,
  ReportChoice,
  ReportSettings,
  Retention,
  Run,
  RunLimits,
  RunOutput,
  RunStatus,
  RunStep,
  SamplesView,
  SandboxReport,
  Scope,
  SecondFactor,
  SecondFactorSetting,
  SecretUse,
  Service,
  ServiceStatus,
  SetAutoMode,
  SignUpSetting,
  Stage,
  Step,
  StepKind,
  StepState,
  StepStatus,
  StepView,
  StopReason,
  Suggestion,
  Sums,
  System,
  SystemAgent,
  SystemDefinition,
  SystemListItem,
  SystemProblem,
  SystemStatus,
  SystemStepStatus,
  Task,
  TaskState,
  TeamCredentials,
  TeamKey,
  TerminalNotice,
  TextDeed,
  ThinkingLevel,
  Thresholds,
  Told,
  Transform,
  Trial,
  TrialStatus,
  TriedCheck,
  Usage,
  UsageBy,
  UsageGroup,
  UsageView,
  Webhook,
  WebhookFormat,
  WorkMode,
} from "./schema";

export type RightName = Schema.MemberRight;
export type Session = Schema.SessionItem;
/** How a member proves once more who they are. */
export type ConfirmProof = Schema.Confirm;
export type Identity = Schema.IdentityItem;
export type Provider = Schema.ProviderButton;
export type MemberPatch = Schema.UpdateMember;
export type ProfilePatch = Schema.UpdateMe;
export type TokenDraft = Schema.CreateToken;
/** Which entries of the audit. */
export type AuditFilter = Omit<
  NonNullable<Schema.operations["list_audit"]["parameters"]["query"]>,
  "after" | "limit"
>;
export type Model = Schema.ModelChoice;
export type SealKey = Schema.KeyView;
export type UpdateProject = Schema.UpdateProject;
export type LimitsSettings = Schema.TeamLimits;
/** What of them is to become another; the rest stays. */
export interface LimitsChange {
  team: Partial<Schema.Limits>;
  run: Partial<Schema.RunLimits>;
}
/** What of a project is to become another; of its settings, too, the rest stays. */
export interface ProjectChange {
  name?: string;
  settings?: Partial<Omit<Schema.ProjectSettings, "network">> & { network?: Partial<Schema.NetworkSettings> };
}
export type DiffLine = Schema.Line;
export type AgentDraft = Schema.CreateAgent;
export type AgentPatch = Schema.UpdateAgent;
export type ChatDraft = Schema.StartChat;
export type MessageFile = Schema.MessageFile;
export type FeatureDraft = Schema.CreateFeature;
export type FeaturePatch = Schema.UpdateFeature;
export type PlanApproved = Schema.ApprovePlan;
export type PlanRejected = Schema.RejectPlan;
export type PriceDraft = Schema.PutPrice;
export type PutRemote = Schema.PutRemote;
/** A question about what was used over time. */
export type SamplesAsked = NonNullable<Schema.operations["list_samples"]["parameters"]["query"]>;
/** Over how long samples are shown. */
export type SamplesRange = Schema.SampleRange;
/** A question about the ledger. */
export type UsageAsked = NonNullable<Schema.operations["get_usage"]["parameters"]["query"]>;

/** What happened in a run. The arguments of a tool are whatever the model wrote. */
export type RunEvent =
  | Exclude<Schema.RunEvent, { kind: "tool_started" }>
  | (Omit<Extract<Schema.RunEvent, { kind: "tool_started" }>, "input"> & { input: unknown });

/** One event of a run's history. */
export type RunHistoryEvent = {
  type: "run.event";
  seq: number;
  at: string;
  runId: string;
  featureId: string;
  event: RunEvent;
};

/** A stored event, as the socket brings it. */
export type Event = Exclude<Schema.Event, { type: "run.event" }> | RunHistoryEvent;

/** One frame from the server. */
export type SocketFrame = Schema.Notice | Event;
/** A webhook to be made. */
export type WebhookDraft = Schema.CreateWebhook;
