import type { Scope } from "@/api/types";

export const security = {
  zone: {
    label: "Time zone",
    help: "Moments are shown in it. Without one, that of the device is used.",
    device: (zone: string) => `Use ${zone}`,
    saved: "Time zone saved",
  },
  password: {
    title: "Password",
    lead: "A new password ends your sessions everywhere else.",
    current: "Password now",
    next: "New password",
    again: "Once more",
    help: "At least 12 characters. A few unrelated words do well.",
    differ: "The two are not the same.",
    save: "Change password",
    saved: "Password changed",
  },
  sessions: {
    endOthers: "End all others",
    endedOthers: "You are signed in here alone",
  },
  tokens: {
    title: "Access tokens",
    lead: "For programs that act as you: scripts, editors, git. A token never does more than you may.",
    none: "No token yet.",
    make: "New token",
    name: "What it is for",
    namePlaceholder: "Nightly script",
    scopes: "What it may do",
    ends: "Ends after",
    submit: "Make token",
    madeTitle: "Your new token",
    madeLabel: "Token",
    once: "Shown this once. Keep it like a password; send it as “Authorization: Bearer …”.",
    done: "Done",
    used: "last used",
    unused: "never used",
    endsAt: "ends",
    ended: "ended",
    revoke: "Revoke",
    revokeOf: (name: string) => `Revoke ${name}`,
    revokeTitle: (name: string) => `Revoke “${name}”?`,
    revokeText: "Whatever uses it is refused from that moment on. This cannot be taken back.",
    revoked: "Token revoked",
  },
} as const;

export const scope: Record<Scope, { label: string; may: string }> = {
  read: { label: "Read", may: "See members, projects, boards, runs and diffs." },
  write: { label: "Write", may: "Write cards and put files on them; add, change and archive projects." },
  run: { label: "Run", may: "Start, stop, follow up, verify and merge features." },
  knowledge: { label: "Knowledge", may: "Write in the knowledge hub." },
  git: { label: "Git", may: "Fetch and push with git." },
  admin: { label: "Admin", may: "Invite members, set limits, read the audit." },
};

export const lifetimes = [
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "A year" },
] as const;
