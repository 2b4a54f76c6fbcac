/** The keys of the query cache, in one place, so that what the socket brings finds what the page asked for. */
export const keys = {
  authStatus: ["auth", "status"] as const,
  me: ["auth", "me"] as const,
  sessions: ["auth", "sessions"] as const,
  tokens: ["auth", "tokens"] as const,
  clients: ["auth", "clients"] as const,
  factors: ["auth", "factors"] as const,
  identities: ["auth", "identities"] as const,
  credentials: ["credentials"] as const,
  teamCredentials: ["team-credentials"] as const,
  models: ["models"] as const,
  members: ["members"] as const,
  invitations: ["invitations"] as const,
  /** Which members have a second factor. */
  memberFactors: ["members", "factors"] as const,
  signUp: ["sign-up"] as const,
  sealKeys: ["seal-keys"] as const,
  secondFactor: ["second-factor"] as const,
  mail: ["mail"] as const,
  audit: ["audit"] as const,
  /** What the member was told; the number of what is unread lies below it. */
  notifications: ["notifications"] as const,
  unread: ["notifications", "unread"] as const,
  mailChoices: ["mail-choices"] as const,
  webhooks: (team: boolean) => ["webhooks", team] as const,
  deliveries: (webhook: string) => ["deliveries", webhook] as const,
  limits: ["limits"] as const,
  /** Those that are open, and the history, lie below it. */
  alerts: ["alerts"] as const,
  thresholds: ["thresholds"] as const,
  strain: ["strain"] as const,
  prices: ["prices"] as const,
  usage: ["usage"] as const,
  /** How the servers are and who uses what. */
  operation: ["operation"] as const,
  samples: ["samples"] as const,
  budgets: ["budgets"] as const,
  suggestions: ["suggestions"] as const,
  projects: ["projects"] as const,
  project: (id: string) => ["project", id] as const,
  /** What a project's commands reach of the network, and what they were refused. */
  network: (projectId: string) => ["network", projectId] as const,
  /** Where else a project's repository is. */
  remote: (projectId: string) => ["remote", projectId] as const,
  commits: (id: string) => ["commits", id] as const,
  autoMode: (projectId: string) => ["auto-mode", projectId] as const,
  /** Why the cards of a project wait. */
  queue: (projectId: string) => ["queue", projectId] as const,
  /** Why the cards of all projects wait. */
  teamQueue: ["team-queue"] as const,
  /** Everybody's runs that have a place or wait for one. */
  atWork: ["at-work"] as const,
  /** Everybody's auto modes. */
  autoModes: ["auto-modes"] as const,
  forecast: (projectId: string) => ["forecast", projectId] as const,
  /** The member's own morning reports. */
  reports: ["reports"] as const,
  latestReport: ["latest-report"] as const,
  reportSettings: ["report-settings"] as const,
  /** The agents that the team defined. */
  agents: ["agents"] as const,
  /** What a member gave an agent to do by itself. */
  tasks: (agentId: string) => ["agent-tasks", agentId] as const,
  /** What was found in the cards of a project; single searches lie below it. */
  said: (projectId: string) => ["said", projectId] as const,
  chats: (projectId: string) => ["chats", projectId] as const,
  /** All cards of a project, in board order. */
  board: (projectId: string) => ["board", projectId] as const,
  /** The cards of a project that are at work or need a member. */
  active: (projectId: string) => ["active", projectId] as const,
  feature: (id: string) => ["feature", id] as const,
  plans: (featureId: string) => ["plans", featureId] as const,
  /** What a card said before; single texts lie below it. */
  featureTexts: (featureId: string) => ["feature-texts", featureId] as const,
  featureText: (featureId: string, number: number) => ["feature-texts", featureId, number] as const,
  /** The task of a model that makes a suggestion for a description. */
  enhancing: (taskId: string) => ["enhancing", taskId] as const,
  runs: (featureId: string) => ["runs", featureId] as const,
  diff: (featureId: string) => ["diff", featureId] as const,
  attachments: (featureId: string) => ["attachments", featureId] as const,
  run: (id: string) => ["run", id] as const,
  runEvents: (id: string) => ["run-events", id] as const,
  /** What a run's work passed of the pipeline. */
  steps: (runId: string) => ["steps", runId] as const,
  /** What runs on in the worktree of a run; logs lie below it. */
  services: (runId: string) => ["services", runId] as const,
  /** What a run was told and read of the hub, and what was recorded in it. */
  runGuide: (runId: string) => ["run-guide", runId] as const,
  /** The latest trial of a project's checks. */
  trial: (projectId: string) => ["trial", projectId] as const,
  /** A project's secrets, masked. */
  secrets: (projectId: string) => ["secrets", projectId] as const,
  /** What there is for a project's commands. */
  outfit: (projectId: string) => ["outfit", projectId] as const,
  /** The MCP servers of all projects; those of one lie below it. */
  mcpServers: ["mcp-servers"] as const,
  mcpServersOf: (projectId: string) => ["mcp-servers", projectId] as const,
  mcpServer: (id: string) => ["mcp-servers", "one", id] as const,
  systems: ["systems"] as const,
  system: (id: string) => ["systems", id] as const,
  executions: ["executions"] as const,
  execution: (id: string) => ["execution", id] as const,
  eachExecution: ["execution"] as const,
  /** `time` says which of its texts: they are others when it is tried again, sent back, or over. */
  executionStep: (id: string, step: string, time: string) => ["execution-step", id, step, time] as const,
  rateLimits: ["rate-limits"] as const,
  sandbox: ["sandbox"] as const,
  backups: ["backups"] as const,
  /** What uses the disk of the server that answers. */
  disk: ["disk"] as const,
  retention: ["retention"] as const,
  checks: (runId: string) => ["checks", runId] as const,
};
