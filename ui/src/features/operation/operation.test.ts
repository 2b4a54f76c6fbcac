import { describe, expect, it } from "vitest";
import type { SamplesView, Thresholds } from "@/api/types";
import { percent } from "@/lib/format";
import { levelOf, worst } from "./level";
import { LINES, marksNear, marksOf, memberPlot, nodePlot, OTHERS } from "./series";
import { show, showMark, whole } from "./show";

const at = (minute: number) => `2026-11-26T04:${String(minute).padStart(2, "0")}:00Z`;
const level = (mean: number, max = mean) => ({ mean, max });

const view = (part: Partial<SamplesView>): SamplesView => ({
  range: "hour",
  from: at(0),
  to: at(3),
  stepSeconds: 60,
  nodes: [],
  members: [],
  ...part,
});

type MemberPoint = SamplesView["members"][number]["points"][number];
const used = (minute: number, more: Partial<MemberPoint>): MemberPoint => ({
  at: at(minute),
  memory: null,
  processes: null,
  processorMillis: 0,
  disk: null,
  worktrees: null,
  agents: null,
  tokens: 0,
  costMicros: 0,
  ...more,
});

describe("what is drawn of samples", () => {
  it("leaves gaps where a server did not run", () => {
    const point = {
      at: at(1),
      memory: level(10, 30),
      memoryTotal: 100,
      processMemory: null,
      disk: null,
      diskTotal: null,
      load: null,
      activeRuns: level(2),
      worktrees: level(0),
      queueDepth: null,
      databaseMillis: null,
    };
    const answer = view({ nodes: [{ id: "n", name: "one", points: [point] }] });
    // Where all servers have as much, the thresholds are lines of the plot.
    const thresholds = {
      memory: { warning: 70, critical: 85 },
      databaseMillis: { warning: 200, critical: 900 },
    } as Thresholds;
    expect(marksOf(answer, "memory", thresholds)).toEqual([
      { level: "warning", value: 70 },
      { level: "critical", value: 85 },
    ]);
    const larger = { id: "l", name: "larger", points: [{ ...point, memoryTotal: 200 }] };
    expect(marksOf({ ...answer, nodes: [...answer.nodes, larger] }, "memory", thresholds)).toEqual([]);
    expect(marksOf(answer, "database", thresholds)[1]?.value).toBe(900);
    expect([marksOf(answer, "disk", thresholds), marksOf(answer, "memory", undefined)]).toEqual([[], []]);
    const plot = nodePlot(answer, "memory");
    expect(plot.times).toHaveLength(4);
    expect(plot.series).toEqual([{ key: "n", name: "one", values: [null, 10, null, null], highest: 30 }]);
    expect(nodePlot(answer, "disk").series).toEqual([]);
  });

  it("draws the thresholds that its lines come near, and no others", () => {
    const series = [{ key: "n", name: "one", values: [2], highest: 10 }];
    const plot = { unit: "millis" as const, times: [at(0)], adds: false, series };
    const marks = [
      { level: "warning" as const, value: 20 },
      { level: "critical" as const, value: 2_000 },
    ];
    expect(marksNear(plot, marks).map(({ level }) => level)).toEqual(["warning"]);
    expect(marksNear({ ...plot, series: [] }, marks)).toEqual([]);
    expect(marks.map((mark) => showMark(mark, "millis"))).toEqual([
      "Warning from 20 ms",
      "Critical from 2.0 s",
    ]);
  });

  it("counts as nothing where a member used nothing, and puts those first who used most", () => {
    const plot = memberPlot(
      view({
        members: [
          { memberId: "a", name: "Anna", points: [used(0, { tokens: 5 })] },
          { memberId: "b", name: "Ben", points: [used(0, { tokens: 3 }), used(3, { tokens: 4 })] },
          { memberId: "c", name: "Cleo", points: [used(2, { costMicros: 1 })] },
        ],
      }),
      "tokens",
      "Others",
    );
    expect(plot.series.map((line) => [line.name, line.values])).toEqual([
      ["Ben", [3, 0, 0, 4]],
      ["Anna", [5, 0, 0, 0]],
    ]);
  });

  it("tells processors from their time", () => {
    const points = [used(1, { processorMillis: 90_000 })];
    const plot = memberPlot(view({ members: [{ memberId: "a", name: "Anna", points }] }), "processors", "");
    expect(plot.series[0]?.values).toEqual([0, 1.5, 0, 0]);
  });

  it("puts many members together", () => {
    const members = Array.from({ length: LINES + 3 }, (_, n) => ({
      memberId: `m${n}`,
      name: `Member ${n}`,
      points: [used(1, { memory: level(100 - n) })],
    }));
    const plot = memberPlot(view({ members }), "memory", "Others");
    expect(plot.series).toHaveLength(LINES);
    expect(plot.series.at(-1)).toEqual({
      key: OTHERS,
      name: "Others",
      values: [0, 93 + 92 + 91 + 90, 0, 0],
      highest: 366,
    });
  });

  it("has a point for each two days of a year", () => {
    const stepSeconds = 2 * 86_400;
    const answer = view({
      range: "year",
      from: "2025-11-28T00:00:00Z",
      to: "2026-11-25T00:00:00Z",
      stepSeconds,
    });
    expect(nodePlot(answer, "memory").times).toHaveLength(182);
  });

  it("takes from admins from when on a figure is bad", () => {
    const threshold = { warning: 60, critical: 80 };
    expect([59.9, 60, 79.9, 80].map((value) => levelOf(value, threshold))).toEqual([
      undefined,
      "warning",
      "warning",
      "critical",
    ]);
    expect(levelOf(100, undefined)).toBeUndefined();
    expect([worst([undefined, "warning", "critical"]), worst(["warning", undefined]), worst([])]).toEqual([
      "critical",
      "warning",
      undefined,
    ]);
  });

  it("shows figures in their units", () => {
    expect([show(1.5 * 1024 ** 4, "bytes"), show(2048, "bytes")]).toEqual(["1.5 TiB", "2.0 KiB"]);
    expect([show(1.26, "count"), show(12_300, "count")]).toEqual(["1.3", "12.3K"]);
    expect([show(3.21, "millis"), show(1_500, "millis"), show(0.125, "share")]).toEqual([
      "3.2 ms",
      "1.5 s",
      "0.13",
    ]);
    expect(show(420_000, "micros")).toBe("$0.42");
    expect([0, 0.3, 3.8].map(whole)).toEqual(["0", "< 1", "4"]);
    expect([0, 0.034, 0.5, 2.5].map(percent)).toEqual(["0 %", "3.4 %", "50 %", "250 %"]);
  });
});
