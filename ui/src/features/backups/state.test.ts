import { expect, test } from "vitest";
import type { Backup, BackupsView } from "@/api/types";
import { changesSoon, problemOf, standing, underWay } from "./state";

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
  parent: null,
  unchecked: null,
  gone: false,
  unsoundBelow: null,
  ...of,
});

const view = (items: Backup[], destination: string | null = "/backups"): BackupsView => ({
  destination,
  sealed: false,
  nextAt: null,
  lastGoodAt: items.find((one) => one.status === "done" && !one.verifyProblem)?.startedAt ?? null,
  lastGoodUnchecked: null,
  overdue: false,
  items,
  earlierUnsound: [],
});

test("what ended last says how backups stand, and one under way says nothing yet", () => {
  expect(standing(view([], null))).toBe("off");
  expect(standing(view([]))).toBe("none");
  expect(standing(view([one({ status: "running" })]))).toBe("none");
  expect(standing(view([one({})]))).toBe("good");
  expect(standing(view([one({ status: "running" }), one({})]))).toBe("good");
  expect(standing(view([one({ status: "failed", problem: "no room" }), one({})]))).toBe("bad");
  expect(standing(view([one({ verifyProblem: "a commit is not there" })]))).toBe("bad");
  expect(standing(view([one({ unsoundBelow: "20251228T030000Z" })]))).toBe("bad");
  expect(standing({ ...view([one({})]), lastGoodUnchecked: "no room" })).toBe("unchecked");
  expect(standing({ ...view([one({ status: "failed" })]), lastGoodUnchecked: "no room" })).toBe("bad");
  expect(underWay(view([one({}), one({ status: "running" })]))).toBe(true);
  expect(underWay(view([one({})]))).toBe(false);
});

test("what went elsewhere is no backup of where they go now, and an old one is none of late", () => {
  const elsewhere = [one({ destination: "s3://former" })];
  expect(standing({ ...view(elsewhere), lastGoodAt: null })).toBe("none");
  expect(standing({ ...view(elsewhere), lastGoodAt: null, overdue: true })).toBe("old");
  expect(standing(view([one({ destination: "s3://former", status: "failed" }), one({})]))).toBe("good");
  expect(standing({ ...view([one({})]), overdue: true })).toBe("old");
  expect(standing({ ...view([]), overdue: true })).toBe("old");
  // Another team's, at the same place, as after a restore.
  expect(standing({ ...view([one({})]), lastGoodAt: null })).toBe("none");
});

test("what is wrong with one is its own, or of what it builds on", () => {
  expect(problemOf(one({}))).toBeNull();
  expect(problemOf(one({ unchecked: "no room" }))).toBeNull();
  expect(problemOf(one({ problem: "no room" }))).toBe("no room");
  expect(problemOf(one({ verifyProblem: "damaged", unsoundBelow: "20251228T030000Z" }))).toBe("damaged");
  expect(problemOf(one({ unsoundBelow: "20251228T030000Z" }))).toContain("20251228T030000Z");
});

test("one that was just made is looked at soon, and one that nobody could look at for a while is not", () => {
  const made = { endedAt: "2026-01-01T03:00:01Z", unchecked: "It is being restored." };
  const at = (time: string) => Date.parse(`2026-01-01T${time}Z`);
  expect(changesSoon(view([one({ status: "running" })]), at("09:00:00"))).toBe(true);
  expect(changesSoon(view([one(made)]), at("03:00:02"))).toBe(true);
  expect(changesSoon(view([one(made)]), at("03:10:00"))).toBe(false);
  expect(
    changesSoon(view([one({ ...made, unchecked: null, verifiedAt: made.endedAt })]), at("03:00:02")),
  ).toBe(false);
});
