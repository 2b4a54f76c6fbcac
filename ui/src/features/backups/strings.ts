import type { BackupCause, BackupKind, BackupStatus } from "@/api/types";

/** What is said of backups. */
export const words = {
  title: "Backups",
  lead: "Copies of everything that the team has, at the place that the operator named.",
  short: "Whether there is a copy of everything, and how old it is.",
  open: "All backups",
  make: "Back up now",
  making: "A backup is being made",
  off: "No place for backups is configured",
  offText:
    "If this server's disk is lost, so is everything. Whoever operates it sets `GUILDHALL_BACKUP_TO` to a folder on another disk or to a bucket (`s3://…`) and starts it again; docs/operators.md says more.",
  none: "No backup was made yet",
  good: "There is a backup",
  unchecked: "The latest backup is not checked yet",
  uncheckedText: "Nobody knows yet whether it can be restored:",
  bad: "The latest backup is not there, or not sound",
  lastGood: "Latest good one",
  never: "None yet",
  next: "Next one",
  onlyAsked: "Only when somebody asks for one",
  destination: "Where they go",
  sealed: "Sealed with the operator's key",
  notSealed: "Not sealed: whoever reads that place reads them",
  keys: "The keys that seal secrets are in none of them. Keep copies of `keys/` elsewhere: without them, members put their provider keys in place again.",
  list: "The latest",
  cause: {
    schedule: "By itself",
    member: "Asked for",
    command: "By command",
  } satisfies Record<BackupCause, string>,
  kind: {
    full: "Full",
    incremental: "What is new",
  } satisfies Record<BackupKind, string>,
  status: {
    running: "Being made",
    done: "There",
    failed: "Failed",
  } satisfies Record<BackupStatus, string>,
  verified: "Restored to look at it, and sound",
  unsound: "Not sound",
  unsoundBelow: (name: string) => `It builds on ${name}, which is not sound.`,
  notChecked: "Not checked",
  took: "took",
} as const;
