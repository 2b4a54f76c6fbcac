import type { DiskReport } from "@/api/types";

export type Worktree = DiskReport["worktrees"][number];

/** What of the disk is whose: worktrees and caches of one member; nobody's are those that members share. */
export interface Holding {
  memberId: string | null;
  bytes: number;
  worktrees: Worktree[];
  /** Of each project. */
  caches: { projectId: string; bytes: number }[];
}

/** By member, the largest first. */
export function holdings(report: Pick<DiskReport, "worktrees" | "caches">): Holding[] {
  const all = new Map<string | null, Holding>();
  const of = (memberId: string | null) => {
    const known = all.get(memberId) ?? { memberId, bytes: 0, worktrees: [], caches: [] };
    all.set(memberId, known);
    return known;
  };
  for (const worktree of report.worktrees) {
    const holding = of(worktree.memberId);
    holding.worktrees.push(worktree);
    holding.bytes += worktree.bytes;
  }
  for (const { memberId, projectId, bytes } of report.caches) {
    const holding = of(memberId ?? null);
    holding.caches.push({ projectId, bytes });
    holding.bytes += bytes;
  }
  return [...all.values()].sort((one, other) => other.bytes - one.bytes);
}

export const KINDS = ["worktrees", "caches", "repositories", "database", "orphans"] as const;

/** The parts of the disk that are used, as shares of all of it; what nothing here explains comes last. */
export function shares(report: Pick<DiskReport, "bytes" | "disk">) {
  const { bytes, disk } = report;
  const known = KINDS.map((kind) => ({ kind, bytes: bytes[kind] }));
  const sum = known.reduce((all, part) => all + part.bytes, 0);
  // The database may be on another disk, so that the parts may be more than what is used.
  const used = Math.max(disk?.used ?? 0, sum);
  const total = Math.max(disk?.total ?? 0, used, 1);
  const parts = [...known, { kind: "rest" as const, bytes: used - sum }];
  return parts.map((part) => ({ ...part, share: part.bytes / total }));
}
