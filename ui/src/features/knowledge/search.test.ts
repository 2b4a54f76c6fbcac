import { describe, expect, it } from "vitest";
import { together } from "./pages";
import { hubSearch, isNarrowed, itemSearch, kindOf, newSearch, pluralOf, sinceOf } from "./search";
import { KINDS } from "./types";

const ADA = "0199c1a0-0000-7000-8000-000000000001";

describe("the hub's address", () => {
  it("is read as it was written", () => {
    const search = {
      q: "rust",
      kind: "learning",
      tag: "db",
      type: "bug-fix",
      review: "proposed",
      confidence: "high",
      language: "rust",
      origin: "agent",
      author: ADA,
      since: "7",
    };
    expect(hubSearch(search)).toEqual(search);
    expect(hubSearch({ q: 42, since: 30 })).toEqual({ q: "42", since: "30" });
  });

  it("leaves out what cannot be, and what does not fit the kind", () => {
    expect(
      hubSearch({ kind: "poem", q: "  ", tag: "", origin: "ada", author: "ada", since: "8", extra: 1 }),
    ).toEqual({});
    expect(
      hubSearch({ kind: "entry", type: "bug-fix", status: "active", review: "proposed", confidence: "high" }),
    ).toEqual({
      kind: "entry",
    });
    expect(hubSearch({ kind: "blueprint", type: "testing", status: "active" })).toEqual({
      kind: "blueprint",
      type: "testing",
      status: "active",
    });
  });

  it("knows whether anything is left out of the list", () => {
    expect(isNarrowed({ kind: "entry" })).toBe(false);
    expect(isNarrowed({ kind: "entry", tag: "db" })).toBe(true);
  });
});

it("reads the address of an item and of a new one", () => {
  expect(itemSearch({ tab: "history", edit: true, from: 1, to: 3 })).toEqual({
    tab: "history",
    edit: true,
    from: 1,
    to: 3,
  });
  expect(itemSearch({ tab: "text", edit: "yes", from: 0, to: 1.5 })).toEqual({});
  expect(newSearch({ kind: "entry", run: ADA, feature: "x" })).toEqual({ kind: "entry", run: ADA });
});

it("counts days back from the minute", () => {
  expect(sinceOf(undefined, 0)).toBeUndefined();
  expect(sinceOf("1", Date.parse("2026-03-02T10:00:59Z"))).toBe("2026-03-01T10:00:00.000Z");
});

it("names kinds in addresses, both ways", () => {
  for (const kind of KINDS) expect(kindOf(pluralOf(kind))).toBe(kind);
  expect(kindOf("poems")).toBeUndefined();
});

it("puts pages together, each row once and where it came first", () => {
  const row = (id: string, title = id) => ({ id, title });
  expect(together(undefined)).toEqual([]);
  expect(
    together([{ items: [row("c"), row("b")] }, { items: [row("b", "again"), row("a")] }, { items: [] }]).map(
      (one) => one.title,
    ),
  ).toEqual(["c", "b", "a"]);
});
