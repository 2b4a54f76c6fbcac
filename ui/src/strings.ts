import type { FeatureStatus, NotificationKind, PlanningMode, Stage, ThinkingLevel } from "@/api/types";

/** What the page says, in one place. Sentences end in a full stop; labels do not. */
export const status: Record<FeatureStatus, string> = {
  backlog: "Backlog",
  queued: "Queued",
  in_progress: "In progress",
  waiting_approval: "Waiting for approval",
  verified: "Verified",
  completed: "Completed",
  failed: "Failed",
  paused: "Paused",
};

const stages: Record<Stage, string> = {
  planning: "Planning",
  plan_approval: "Plan to approve",
  implementing: "Implementing",
  verifying: "Checking",
};

/** A stage in words; a step of the pipeline goes by its own name. */
export const stage = (stage: Stage): string => stages[stage] ?? stage.replace(/^pipeline:/, "");
/** What a member is told, after what it is about. */
export const told: Record<NotificationKind, string> = {
  "card.waits": "waits for approval",
  "card.verified": "is verified",
  "card.failed": "failed",
  "plan.ready": "has a plan to look at",
  "review.waits": "waits for a review",
  "execution.completed": "is completed",
  "execution.failed": "failed",
  "auto-mode.paused": "auto mode has stopped",
  "runs.stopped": "runs were stopped",
  "budget.reached": "a budget is used up",
  "morning-report.ready": "the morning report is ready",
  "webhook.off": "a webhook was switched off",
  "mcp-server.tools-changed": "tools of an MCP server changed",
  "alert.warning": "a warning",
  "alert.critical": "critical",
  "alert.cleared": "well again",
};

export const planning: Record<PlanningMode, { label: string; help: string }> = {
  skip: { label: "No plan", help: "Straight to work" },
  lite: { label: "Outline", help: "A short list of tasks first" },
  spec: { label: "Specification", help: "A specification with tasks first" },
  full: { label: "Full plan", help: "Phases of tasks first" },
};

export const thinking: Record<ThinkingLevel, string> = {
  none: "None",
  low: "Low",
  medium: "Medium",
  high: "High",
  ultrathink: "Ultrathink",
};

export const priority: Record<number, string> = { 1: "High", 2: "Medium", 3: "Low" };

export const t = {
  app: "Guildhall",
  tagline: "Where your team and its agents build software together.",
  nav: {
    inbox: "Inbox",
    notifications: "Notifications",
    projects: "Projects",
    agents: "Agents at work",
    knowledge: "Knowledge",
    work: "Agents & systems",
    chat: "Chat",
    library: "Agent library",
    systems: "Systems",
    usage: "Usage",
    team: "Team",
    settings: "Settings",
    audit: "Audit",
    operation: "Operation",
    rateLimits: "Rate limits",
    sandbox: "Sandbox",
    backups: "Backups",
    alerts: "Alerts",
    disk: "Disk",
    search: "Search or do…",
    addProject: "Add a project",
    stopAll: "Stop every agent…",
    signIn: "Sign in",
    signOut: "Sign out",
    help: "Keyboard shortcuts",
    skip: "Skip to content",
    more: "More",
    unread: "unread",
    fold: "Fold the sidebar",
    unfold: "Unfold the sidebar",
    reports: "Morning reports",
    projectsFailed: "The projects could not be fetched. Try again",
  },
  common: {
    cancel: "Cancel",
    save: "Save",
    saved: "Saved",
    close: "Close",
    retry: "Try again",
    remove: "Remove",
    copy: "Copy",
    copied: "Copied",
    copyId: "Copy request id",
    loading: "Loading",
    requestId: "Request",
    back: "Back",
    optional: "optional",
    needed: "Fill this in.",
    timeOfDay: "Write a time of the day, such as 07:00 or 22:30.",
    wentWrong: "That did not work",
    partly: "Not everything could be fetched.",
    forbidden: "You may not see this",
    notFound: "There is nothing here",
    notFoundHelp: "It may have been deleted, or the address is wrong.",
    offline: "The server cannot be reached. What you typed is kept.",
    unreachable: "The server cannot be reached",
    unreachableHelp: "This part of the page comes from it. Try again when it is back.",
    reconnect: "Reconnect",
    toInbox: "To the inbox",
    undo: "Undo",
  },
  unsaved: {
    title: "Leave this page?",
    text: "What you changed here is not saved.",
    leave: "Leave",
    terminal: "The terminal closes with it, and what runs in it ends.",
    stay: "Keep editing",
    close: "Close without saving?",
    discard: "Discard",
    mark: "Unsaved changes",
    clash: "Somebody else has changed the same. Saving puts yours in its place.",
    theirs: "Take theirs",
  },
  identity: {
    title: "Confirm that it is you",
    why: "This changes who can do what, or touches a secret. Prove once more that it is you; it then holds for ten minutes.",
    password: "Password",
    confirm: "Confirm",
    whyProvider:
      "This changes who can do what, or touches a secret. Prove once more who you are; it then holds for ten minutes.",
    noWay:
      "You have neither a password nor a linked account that can be used. Ask an admin for a link to set a password.",
    by: (label: string) => `Confirm with ${label}`,
    waiting: "Go on in the other window. This one waits for it.",
  },
  role: {
    owner: { label: "Owner", may: "Everything, and decides who else owns this server." },
    admin: { label: "Admin", may: "Runs the team: members, invitations, limits, the audit." },
    member: { label: "Member", may: "Writes cards, lets agents work, merges." },
    viewer: { label: "Viewer", may: "Looks, and changes nothing." },
  },
  action: {
    start: "Start",
    restart: "Start over",
    retry: "Retry",
    resume: "Resume",
    stop: "Stop",
    verify: "Verify",
    merge: "Merge",
    shelve: "Move to backlog",
    remove: "Delete",
    edit: "Edit",
    open: "Open",
  },
} as const;
