import { expect, test } from "vitest";
import type { Thresholds } from "@/api/types";
import { changeOf, draftOf, isWhole } from "./figures";

test("figures of backups that were taken away follow others again, and no other may be empty", () => {
  const draft = draftOf({
    memory: { warning: 70, critical: 85 },
    backupHours: { warning: 26, critical: 50 },
  } as Thresholds);
  expect(draft.backupHours).toEqual({ warning: "26", critical: "50" });
  const [empty, half] = [
    { warning: " ", critical: "" },
    { warning: "30", critical: "" },
  ];
  expect(changeOf({ backupHours: empty })).toEqual({ backupHours: null });
  expect(changeOf({ backupHours: { warning: "30", critical: "60" } })).toEqual({
    backupHours: { warning: 30, critical: 60 },
  });
  expect([isWhole("backupHours", empty), isWhole("backupHours", half), isWhole("memory", empty)]).toEqual([
    true,
    false,
    false,
  ]);
});
