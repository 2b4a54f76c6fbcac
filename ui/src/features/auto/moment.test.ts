import { afterEach, expect, test, vi } from "vitest";
import { setTimeZone } from "@/lib/format";
import { moment, reason } from "./moment";

afterEach(() => {
  vi.useRealTimers();
  setTimeZone(null);
});

test("moments are said by the member's own clock", () => {
  vi.useFakeTimers();
  vi.setSystemTime(new Date("2026-01-09T22:00:00Z"));
  setTimeZone("Europe/Berlin");
  expect(moment("2026-01-10T01:14:00Z")).toBe("02:14");
  expect(moment("2026-01-12T21:00:00Z")).toBe("Mon 22:00");
  expect(moment("2026-02-01T00:00:00Z")).toBe("Feb 1 01:00");
  const until = "2026-01-10T01:14:00Z";
  expect(reason({ code: "window", until, message: "The window opens at 01:14 UTC." })).toBe(
    "The window opens at 02:14.",
  );
  const provider = { code: "provider" as const, until, why: "The limit is used up.", message: "" };
  expect(reason(provider)).toBe("Waits until 02:14. The limit is used up.");
  const footing = { code: "footing" as const, until, why: "Two cards conflict.", message: "" };
  expect(reason(footing)).toBe("Two cards conflict. It is tried again at 02:14.");
  expect(reason({ ...footing, code: "trouble", why: "The disk is full." })).toBe(
    "The disk is full. It is tried again at 02:14.",
  );
  expect(reason({ code: "window", until: null, message: "The window never opens; set it again." })).toBe(
    "The window never opens; set it again.",
  );
});
