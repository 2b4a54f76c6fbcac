import { expect, test } from "vitest";
import type { Backup, BackupsView } from "@/api/types";
import { standing, underWay } from "./state";

const one = (of: Partial<Backup>): Backup => ({
  id: "1",
  cause: "schedule",
  status: "done",
  destination: "/backups",
  startedAt: "2026-01-01T03:00:00Z",
  name: "20260101T030000Z",
  kind: "full",
  memberId: null,
  endedAt: null,
  bytes: null,
  problem: null,
  verifiedAt: null,
  verifyProblem: null,
  ...of,
});

const view = (items: Backup[], destination: string | null = "/backups"): BackupsView => ({
  destination,
  sealed: false,
  nextAt: null,
  lastGoodAt: null,
  items,
});

test("what ended last says how backups stand, and one under way says nothing yet", () => {
  expect(standing(view([], null))).toBe("off");
  expect(standing(view([]))).toBe("none");
  expect(standing(view([one({ status: "running" })]))).toBe("none");
  expect(standing(view([one({})]))).toBe("good");
  expect(standing(view([one({ status: "running" }), one({})]))).toBe("good");
  expect(standing(view([one({ status: "failed", problem: "no room" }), one({})]))).toBe("bad");
  expect(standing(view([one({ verifyProblem: "a commit is not there" })]))).toBe("bad");
  expect(underWay(view([one({}), one({ status: "running" })]))).toBe(true);
  expect(underWay(view([one({})]))).toBe(false);
});
