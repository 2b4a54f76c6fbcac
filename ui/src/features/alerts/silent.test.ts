import { expect, test } from "vitest";
import type { Alert } from "@/api/types";
import { isSilent } from "./silent";

test("a silence holds for a while, and for how bad it was", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  const [later, earlier] = ["2026-01-01T13:00:00Z", "2026-01-01T11:00:00Z"];
  const silent = (of: Partial<Alert>) =>
    isSilent({ level: "warning", silencedLevel: null, ...of } as Alert, now);
  expect(silent({ silencedUntil: null })).toBe(false);
  expect(silent({ silencedUntil: earlier, silencedLevel: "warning" })).toBe(false);
  expect(silent({ silencedUntil: later, silencedLevel: "warning" })).toBe(true);
  expect(silent({ silencedUntil: later, silencedLevel: "warning", level: "critical" })).toBe(false);
  expect(silent({ silencedUntil: later, silencedLevel: "critical", level: "critical" })).toBe(true);
  expect(silent({ silencedUntil: later, silencedLevel: "critical" })).toBe(true);
});
