import { expect, test } from "vitest";
import { disksOf } from "./disks";

const gib = 1024 ** 3;
const used = (share: number, total = 100 * gib) => ({ used: share * total, total });

test("each disk is told with what lies there, by whatever of it is used most", () => {
  const data = {
    holds: ["data" as const, "database" as const],
    path: "/data",
    bytes: used(0.4),
    files: null,
  };
  expect(disksOf({ disk: data.bytes, disks: [data] })).toEqual([
    { name: "Disk", share: 0.4, text: "40.0 GiB of 100.0 GiB" },
  ]);
  const work = {
    holds: ["worktrees" as const],
    path: "/srv/work",
    bytes: used(0.4),
    files: used(0.92, 5000),
  };
  expect(disksOf({ disk: data.bytes, disks: [data, work] })).toEqual([
    { name: "Disk: data folder, database (/data)", share: 0.4, text: "40.0 GiB of 100.0 GiB" },
    { name: "Disk: worktrees (/srv/work)", share: 0.92, text: "4.6K of 5K files" },
  ]);
});

test("what an earlier version told of its one disk is shown", () => {
  expect(disksOf({ disk: used(0.5), disks: [] })[0]).toMatchObject({ name: "Disk", share: 0.5 });
  expect(disksOf({ disk: null, disks: [] })[0]).toEqual({ name: "Disk", share: null, text: "not told" });
});
