import { describe, expect, it } from "vitest";
import { api } from "@/api/calls";
import { auditSearch, filterOf } from "./search";

describe("auditSearch", () => {
  it("keeps what it knows and drops the rest", () => {
    expect(
      auditSearch({ action: "run.start", from: "2026-03-10", to: "yesterday", actor: "a b", page: 3 }),
    ).toEqual({ action: "run.start", from: "2026-03-10" });
    expect(auditSearch({ outcome: 7 })).toEqual({});
  });
});

describe("filterOf", () => {
  it("takes the last day whole", () => {
    const { from, to, ...rest } = filterOf({ actor: "m1", from: "2026-03-10", to: "2026-03-10" });
    expect(rest).toEqual({ actor: "m1" });
    expect(Date.parse(to ?? "") - Date.parse(from ?? "")).toBe(24 * 60 * 60 * 1000);
  });

  it("leaves out a day that does not exist", () => {
    expect(filterOf({ from: "2026-13-40" })).toEqual({});
  });

  it("goes along into the export", () => {
    expect(api.auditExportUrl(filterOf({ action: "run.start" }))).toBe("/api/audit/export?action=run.start");
    expect(api.auditExportUrl({})).toBe("/api/audit/export");
  });
});
