import type { AlertKind, AlertLevel, Thresholds } from "@/api/types";
import { banner } from "./banner-strings";

export { kind } from "./banner-strings";

export const level: Record<AlertLevel, string> = { warning: "Warning", critical: "Critical" };

const many = (one: string) => (value: number) => (value === 1 ? `1 ${one}` : `${value} ${one}s`);

/** A figure with its unit; nothing where there is none. */
export const figure: Record<AlertKind, ((value: number) => string) | null> = {
  memory: (value) => `${value} %`,
  disk: (value) => `${value} %`,
  "disk-files": (value) => `${value} %`,
  "log-disk": (value) => `${value} %`,
  "active-agents": String,
  "api-failures": String,
  "database-slow": (value) => `${value} ms`,
  "bus-lost": many("second"),
  "backup-old": many("hour"),
  "clean-up-stuck": many("minute"),
  "mail-stuck": many("hour"),
  "certificate-ends": many("day"),
  "key-refused": null,
  "sandbox-unusable": null,
};

/** What has thresholds, and what they count. */
export const thresholds: Record<keyof Thresholds, { label: string; help: string }> = {
  memory: {
    label: "Memory of a server",
    help: "Percent that are used. When it is critical, no work begins.",
  },
  disk: {
    label: "Disks of a server",
    help: "Percent that are used of each, or of the files that it can hold. When one is critical, no work begins; that of the log keeps none.",
  },
  activeAgents: { label: "Agents at work", help: "In the whole team." },
  apiFailures: { label: "Failed calls to providers", help: "Within five minutes, on one server." },
  databaseMillis: { label: "Slow database", help: "Milliseconds until it gives a turn to write." },
  busSeconds: { label: "Link between servers lost", help: "Seconds since." },
  backupHours: {
    label: "Old backup",
    help: "Hours since the latest good one. Empty: as follows from how often one is made.",
  },
  cleanUpMinutes: { label: "Clean-up stuck", help: "Minutes since it came through." },
  mailHours: { label: "Mail stuck", help: "Hours since mails come no further." },
  certificateDays: { label: "Certificate near its end", help: "Days that are left: less is worse." },
};

export const words = {
  ...banner,
  lead: "What needs somebody who runs this server, what was, and from which figure on it is told.",
  forbiddenTitle: "For admins",
  forbidden: "Alerts are for those who run the team.",
  open: "Open",
  openLead: "Each is told once, on the page, by mail and to webhooks, and again when it gets worse.",
  none: "All is well",
  noneHelp: "Nothing needs you at the moment.",
  history: "History",
  noHistory: "Nothing was ever raised",
  noHistoryHelp: "What was open and is over is kept here for a year.",
  more: "Show older ones",
  since: "Since",
  now: "Now",
  worst: "At worst",
  silent: "Silent until",
  silence: "Silence",
  silenceOf: (what: string) => `Silence: ${what}`,
  silenceHelp: "Unless it gets worse, nobody is told of it for",
  loud: "Tell again",
  loudOf: (what: string) => `Tell again: ${what}`,
  silenced: "Nobody is told of it for now",
  loudAgain: "It is told again",
  times: [
    { minutes: 60, label: "An hour" },
    { minutes: 8 * 60, label: "Eight hours" },
    { minutes: 24 * 60, label: "A day" },
    { minutes: 7 * 24 * 60, label: "A week" },
  ],
  lasted: (how: string) => `lasted ${how}`,
  gone: "no longer measured",
  thresholds: "Thresholds",
  thresholdsLead:
    "A warning, and critical, from these figures on. An alert is over when its figure has been some way better for some minutes.",
  warning: "Warning",
  critical: "Critical",
  number: "A whole number.",
  saved: "Thresholds saved",
} as const;
