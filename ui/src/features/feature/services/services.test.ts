import { describe, expect, it } from "vitest";
import type { Service } from "@/api/types";
import { addOutput, dropService, liveOutput, settle } from "@/live/output";
import { overOf } from "./connection";
import { joinOf, textOf } from "./log";
import { placeService } from "./queries";

const service = (name: string, startedAt: string, id = name): Service => ({
  id,
  runId: "r",
  name,
  command: "true",
  port: null,
  status: "running",
  exitCode: null,
  problem: null,
  memberId: null,
  startedAt,
  until: null,
  endedAt: null,
});

describe("services", () => {
  it("keeps one of each name, the latest, in order", () => {
    const first = service("web", "2026-01-01T10:00:00Z", "1");
    const later = service("web", "2026-01-01T11:00:00Z", "2");
    const api = service("api", "2026-01-01T10:30:00Z");
    expect(placeService([first], api)).toEqual([api, first]);
    expect(placeService([api, first], later)).toEqual([api, later]);
    expect(placeService([api, later], first)).toEqual([api, later]);
    expect(placeService(undefined, first)).toBeUndefined();
  });

  it("keeps what a service prints over turns, until it has ended", () => {
    addOutput({ runId: "r", turn: 0, stream: { kind: "service", service: "s" }, offset: 0, text: "up" });
    settle("r", {
      kind: "turn_saved",
      turn: 3,
      stopReason: "end_turn",
      usage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 },
      costMicros: 0,
      snapshot: null,
    });
    settle("r", { kind: "ended", status: "waiting", problem: null });
    expect(liveOutput("r").map((entry) => entry.text)).toEqual(["up"]);
    dropService("r", "s");
    expect(liveOutput("r")).toEqual([]);
  });

  it("shows what is kept of a log before what this page got, and all that comes after", () => {
    const lines = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join("");
    const live = (text: string) => ({
      key: "service:s",
      turn: 0,
      stream: { kind: "service" as const, service: "s" },
      text,
      missing: 9,
    });
    const behind = joinOf(lines(0, 900).trimEnd(), live(lines(600, 900)));
    expect(textOf(behind, live(lines(600, 901)))).toBe(lines(0, 901));
    // The server had written on, or the page had heard more, by the time the answer came.
    const ahead = joinOf(lines(0, 950).trimEnd(), live(lines(600, 900)));
    expect(textOf(ahead, live(lines(600, 1000)))).toBe(lines(0, 1000));
    const late = joinOf(lines(0, 900).trimEnd(), live(lines(600, 950)));
    expect(textOf(late, live(lines(600, 951)))).toBe(lines(0, 951));
    expect(joinOf(lines(800, 900).trimEnd(), live(lines(600, 950)))).toBeNull();
    expect(textOf(null, live("all"))).toBe("all");
  });

  it("says why a terminal closed", () => {
    expect([1000, 4000, 4401, 4408, 4423, 1006].map(overOf)).toEqual([
      "closed",
      "ended",
      "session",
      "idle",
      "needed",
      "lost",
    ]);
  });
});
