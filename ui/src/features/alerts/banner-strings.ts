import type { AlertKind } from "@/api/types";

/** What an alert is about. */
export const kind: Record<AlertKind, string> = {
  memory: "Memory",
  disk: "Disk",
  "disk-files": "Files on the disk",
  "log-disk": "Disk of the log",
  "active-agents": "Agents at work",
  "api-failures": "Calls to providers",
  "database-slow": "Database",
  "bus-lost": "Link between servers",
  "backup-old": "Backup",
  "clean-up-stuck": "Clean-up",
  "mail-stuck": "Mail",
  "certificate-ends": "Certificate",
  "key-refused": "Provider key",
  "sandbox-unusable": "Sandbox",
};

/** What stands above every view, and so travels with each. */
export const banner = {
  title: "Alerts",
  of: (what: string, about: string) => (about === "" ? what : `${what} of ${about}`),
  look: "Alerts",
  whole: "More",
  less: "Less",
  alsoOpen: (count: number) => (count === 1 ? "And one more." : `And ${count} more.`),
} as const;
