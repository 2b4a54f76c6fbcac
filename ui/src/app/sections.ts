import type { RightName } from "@/api/types";

/** A section of a page of settings: where it is, and by which further words it is found. */
export interface SettingsPlace {
  id: string;
  label: string;
  words: string;
  /** Who has it. */
  right?: RightName;
}

/** What is a member's own. */
export const OWN: readonly SettingsPlace[] = [
  { id: "profile", label: "Profile", words: "name picture avatar time zone e-mail address" },
  { id: "appearance", label: "Appearance", words: "theme dark light colour" },
  {
    id: "keys",
    label: "My API keys",
    words: "provider anthropic openai google model credential",
    right: "keys",
  },
  { id: "notifications", label: "Notifications", words: "mail webhook slack tell" },
  { id: "morning-report", label: "Morning report", words: "night hour mail", right: "run" },
  { id: "password", label: "Password", words: "change sign in" },
  { id: "identities", label: "Linked accounts", words: "google oidc sign in provider" },
  {
    id: "security",
    label: "Two-step verification",
    words: "passkey authenticator totp recovery codes 2fa factor",
  },
  { id: "sessions", label: "Sessions", words: "devices browsers sign out" },
  { id: "connect", label: "Connect your tools", words: "mcp claude code codex editor cli" },
  { id: "tokens", label: "Access tokens", words: "personal api token git bearer" },
];

/** What holds for the whole team, on the same page. */
export const TEAMS: readonly SettingsPlace[] = [
  { id: "team-keys", label: "Team keys", words: "provider api key shared", right: "administer" },
  {
    id: "limits",
    label: "Limits",
    words: "memory turns minutes dollars concurrent worktrees processes",
    right: "administer",
  },
  { id: "prices", label: "Prices", words: "price cost model tokens dollars", right: "administer" },
  { id: "team-webhooks", label: "Team webhooks", words: "webhook slack notify", right: "administer" },
  { id: "team-mcp-servers", label: "Team MCP servers", words: "tools agents" },
];

/** The sections of the team's page. */
export const TEAM: readonly SettingsPlace[] = [
  { id: "invitations", label: "Invitations", words: "invite link join member", right: "administer" },
  { id: "sign-up", label: "Sign-up", words: "register domain open account", right: "administer" },
  { id: "mail", label: "Mail", words: "smtp e-mail test", right: "administer" },
  { id: "seal-keys", label: "Sealing keys", words: "encryption rotate kek", right: "administer" },
  {
    id: "second-factor",
    label: "Second factor for everyone",
    words: "2fa require policy",
    right: "administer",
  },
];

/** The sections of a project's settings. */
export const PROJECT: readonly SettingsPlace[] = [
  { id: "code", label: "Get the code", words: "clone this project git fetch push branch" },
  { id: "general", label: "General", words: "name repository branch" },
  { id: "set-up", label: "Set-up", words: "install commands worktree npm" },
  { id: "pipeline", label: "Pipeline", words: "steps review passes" },
  { id: "checks", label: "Checks", words: "verify tests commands" },
  { id: "after-work", label: "After the work", words: "merge verify approval repairs" },
  { id: "agents", label: "Agents", words: "default model instructions knowledge" },
  { id: "network", label: "Network", words: "hosts allow registries internet" },
  { id: "caches", label: "Caches and toolchains", words: "cache disk tools" },
  { id: "secrets", label: "Secrets", words: "secret environment password token" },
  {
    id: "remote",
    label: "Other repository",
    words: "remote github gitlab pull request sync mirror origin push",
  },
  { id: "mcp-servers", label: "MCP servers", words: "tools server" },
  { id: "archive", label: "Archive", words: "delete remove close", right: "manageProjects" },
];

/** Sections of other pages that are settings, too. */
export const ELSEWHERE = [
  {
    to: "/operation/alerts",
    id: "thresholds",
    label: "Alert thresholds",
    words: "warning critical memory disk",
    right: "administer",
  },
  {
    to: "/operation/disk",
    id: "retention",
    label: "Retention",
    words: "keep days clean disk history",
    right: "administer",
  },
  { to: "/usage", id: "budgets", label: "Budgets", words: "money month cap spend cost", right: "read" },
] as const satisfies readonly (SettingsPlace & { to: string })[];

/** Those that somebody with these rights has. */
export const shownTo = <P extends SettingsPlace>(places: readonly P[], rights: readonly RightName[]): P[] =>
  places.filter(({ right }) => right === undefined || rights.includes(right));
