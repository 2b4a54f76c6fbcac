import { expect, test } from "vitest";
import { holdings, shares } from "./sums";

const worktree = (memberId: string, bytes: number) =>
  ({ memberId, bytes, runId: `${memberId}-${bytes}` }) as Parameters<typeof holdings>[0]["worktrees"][number];

test("what members hold is added up, the largest first", () => {
  const all = holdings({
    worktrees: [worktree("anna", 30), worktree("bert", 50), worktree("anna", 10)],
    caches: [
      { projectId: "p", memberId: "anna", bytes: 20 },
      { projectId: "p", memberId: null, bytes: 500 },
    ],
  });
  expect(all.map((one) => [one.memberId, one.bytes, one.worktrees.length])).toEqual([
    [null, 500, 0],
    ["anna", 60, 2],
    ["bert", 50, 1],
  ]);
});

test("the parts of the disk are shares of it, and the rest is told", () => {
  const bytes = { database: 10, databaseFree: 5, repositories: 20, worktrees: 30, caches: 40, orphans: 0 };
  const of = (disk: { used: number; total: number } | null) =>
    Object.fromEntries(shares({ bytes, disk }).map((part) => [part.kind, part.share]));
  expect(of({ used: 500, total: 1000 })).toMatchObject({ database: 0.01, caches: 0.04, rest: 0.4 });
  // A database elsewhere.
  expect(of({ used: 50, total: 1000 }).rest).toBe(0);
  expect(of(null)).toMatchObject({ caches: 0.4, rest: 0 });
});
