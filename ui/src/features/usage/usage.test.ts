import { describe, expect, it } from "vitest";
import type { UsageView } from "@/api/types";
import { csvOf, field } from "./csv";
import { microsOf } from "./money";
import { daysOf, todayIn, usageSearch } from "./search";

const SUMS = {
  calls: 2,
  unpricedCalls: 1,
  inputTokens: 3,
  outputTokens: 4,
  cacheReadTokens: 5,
  cacheWriteTokens: 6,
  costMicros: 1_500_000,
};

describe("the usage page's address", () => {
  it("holds what can be and nothing else", () => {
    expect(usageSearch({ period: 30, by: "model", from: "2026-02-30x", to: "2026-03-01" })).toEqual({
      period: "30",
      by: "model",
    });
    expect(usageSearch({ from: "2026-03-02", to: "2026-03-01", by: "moon", period: "8" })).toEqual({});
    expect(usageSearch({ from: "2026-03-01", to: "2026-03-01" })).toEqual({
      from: "2026-03-01",
      to: "2026-03-01",
    });
  });

  it("means days", () => {
    expect(daysOf("7", "2026-03-03")).toEqual({ from: "2026-02-25", to: "2026-03-03" });
    expect(daysOf("month", "2026-03-03")).toEqual({ from: "2026-03-01", to: "2026-03-03" });
    expect(daysOf("last-month", "2026-01-31")).toEqual({ from: "2025-12-01", to: "2025-12-31" });
    const midnight = new Date("2026-01-31T23:30:00Z");
    expect(todayIn("Europe/Berlin", midnight)).toBe("2026-02-01");
    expect(todayIn(null, midnight)).toBe("2026-01-31");
    expect(todayIn("Nowhere/Else", midnight)).toBe("2026-01-31");
  });
});

describe("the file", () => {
  it("keeps fields apart and runs nothing", () => {
    expect(["a,b", 'say "x"', "=1+1", "-x", "plain", -3].map(field)).toEqual([
      '"a,b"',
      '"say ""x"""',
      "'=1+1",
      "'-x",
      "plain",
      "-3",
    ]);
  });

  it("has a row for each group and one for the rest", () => {
    const group = { key: "k", label: "#1 A, b", of: "Demo", id: null, ...SUMS };
    const view = { by: "feature", groups: [group], others: SUMS } as unknown as UsageView;
    const rows = csvOf(view).split("\r\n");
    expect(rows).toHaveLength(4);
    expect(rows[1]).toBe('"#1 A, b",Demo,2,1,3,4,5,6,1.5');
    expect(rows[2]).toBe("Others,,2,1,3,4,5,6,1.5");
  });
});

describe("a sum of money", () => {
  it("is read as it is written, or not at all", () => {
    const read = ["12", "12.5", "0.000001", " 1,200.50 ", "$3", "", "-1", "x", "1.0000001", "0"].map(
      microsOf,
    );
    expect(read).toEqual([12e6, 12.5e6, 1, 1_200_500_000, 3e6, null, null, null, null, 0]);
  });
});
