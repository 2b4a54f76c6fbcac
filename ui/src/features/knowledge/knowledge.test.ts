import { describe, expect, it } from "vitest";
import { ownKey } from "@/lib/persistent";
import { titleFrom } from "./beginning";
import { hitOf } from "./calls";
import {
  BLANK,
  bodyOf,
  type Draft,
  draftOf,
  draftOfVersion,
  fieldsOf,
  keptDraft,
  readKept,
  sameDraft,
  textOf,
} from "./draft";
import { fieldName } from "./field-name";
import { markedPieces } from "./marked";
import { type Blueprint, type Entry, KINDS, type Learning } from "./types";

const common = {
  id: "0199c1a0-0000-7000-8000-000000000001",
  description: "About it",
  content: "# Text",
  tags: ["db"],
  related: [],
  origin: "member" as const,
  sourceRunId: null,
  sourceFeatureId: null,
  version: 3,
  createdBy: "0199c1a0-0000-7000-8000-000000000002",
  createdAt: "2026-03-01T10:00:00Z",
  updatedBy: "0199c1a0-0000-7000-8000-000000000002",
  updatedAt: "2026-03-01T10:00:00Z",
  deletedAt: null,
};
const blueprint: Blueprint = {
  ...common,
  kind: "blueprint",
  name: "How we test",
  category: "testing",
  status: "active",
  priority: 7,
  autoLoadConditions: { filePatterns: ["*.rs"], languages: ["rust"], taskTypes: ["bug"] },
};
const entry: Entry = {
  ...common,
  kind: "entry",
  title: "Ports",
  type: "runbook",
  sourceUrl: "https://example.com",
  keywords: ["port"],
};
const learning: Learning = {
  ...common,
  kind: "learning",
  title: "Lock rows in one order",
  type: "bug-fix",
  confidence: "verified",
  problem: "Deadlocks",
  solution: null,
  prevention: null,
  context: { languages: ["sql"], frameworks: [], filePatterns: [] },
  review: "accepted",
  rejectReason: null,
  verifiedBy: common.createdBy,
  verifiedAt: common.createdAt,
  applicationCount: 3,
  successCount: 2,
  failureCount: 1,
};

describe("a draft", () => {
  it("sends of an item what its kind has, as it was", () => {
    expect(bodyOf("blueprint", draftOf(blueprint))).toEqual({
      name: "How we test",
      description: "About it",
      content: "# Text",
      tags: ["db"],
      related: [],
      category: "testing",
      status: "active",
      priority: 7,
      autoLoadConditions: blueprint.autoLoadConditions,
    });
    expect(bodyOf("entry", draftOf(entry))).toMatchObject({
      title: "Ports",
      type: "runbook",
      keywords: ["port"],
    });
    // Verified is given by verifying, and kept by whoever changes what is.
    expect(bodyOf("learning", draftOf(learning))).not.toHaveProperty("confidence");
    expect(bodyOf("learning", draftOf(learning), true)).toMatchObject({ confidence: "verified" });
    expect(bodyOf("learning", draftOf(learning))).toMatchObject({ problem: "Deadlocks", solution: null });
    expect(bodyOf("entry", { ...BLANK, title: " x ", content: "y", sourceUrl: " " })).toMatchObject({
      title: "x",
      sourceUrl: null,
    });
  });

  it("comes of a former version as it comes of the item", () => {
    const { description, content, tags, related } = common;
    const { category, status, priority, autoLoadConditions } = blueprint;
    const version = {
      title: blueprint.name,
      description,
      content,
      tags,
      related,
      details: { kind: "blueprint" as const, category, status, priority, autoLoadConditions },
    };
    expect(draftOfVersion(version)).toEqual(draftOf(blueprint));
  });

  it("is one text for comparing, of the fields that its kind has", () => {
    const text = textOf("blueprint", draftOf(blueprint), fieldName);
    expect(text).toContain("# How we test");
    expect(text).toContain("Priority: 7");
    expect(text).not.toContain("How sure is it?");
    for (const kind of KINDS) for (const field of fieldsOf(kind)) expect(fieldName(field)).not.toBe("");
  });

  it("survives a reload, and whatever an older page has left", () => {
    const draft: Draft = { ...BLANK, title: "Half" };
    keptDraft("new").set({ draft, base: BLANK, version: 0 });
    expect(readKept(JSON.parse(localStorage.getItem(ownKey("knowledge.new")) ?? ""))).toEqual({
      draft,
      base: BLANK,
      version: 0,
    });
    keptDraft("new").set(null);
    expect(localStorage.getItem(ownKey("knowledge.new"))).toBeNull();
    for (const left of [null, "x", {}, { draft: {}, base: {} }]) expect(readKept(left)).toBeNull();
    const old = readKept({ draft: { title: "Half" }, base: {}, version: 2 });
    expect(old && sameDraft(old.draft, draft)).toBe(true);
  });
});

it("shows an item of a list as a search would", () => {
  expect(hitOf(blueprint)).toMatchObject({ title: "How we test", type: "testing", review: "accepted" });
  expect(hitOf({ ...learning, review: "proposed" })).toMatchObject({ review: "proposed", successCount: 2 });
});

it("marks words of a search, and passes over marks that cannot be", () => {
  const pieces = (text: string, marks: [number, number][]) =>
    markedPieces({ text, marks: marks.map(([from, to]) => ({ from, to })) }).map((piece) =>
      piece.marked ? `[${piece.text}]` : piece.text,
    );
  expect(
    pieces("lock the rows", [
      [0, 4],
      [9, 13],
    ]),
  ).toEqual(["[lock]", " the ", "[rows]"]);
  expect(
    pieces("rows", [
      [2, 1],
      [3, 9],
    ]),
  ).toEqual(["rows"]);
  expect(pieces("", [])).toEqual([]);
});

it("finds a title in an agent's words", () => {
  expect(titleFrom("Done.\n\n## Lock rows in one order\n\nBecause…")).toBe("Lock rows in one order");
  expect(titleFrom("- **Lock** rows in `one` order. Otherwise they wait.")).toBe("Lock rows in one order");
  expect(titleFrom("word ".repeat(60)).length).toBeLessThanOrEqual(100);
  expect(titleFrom("\n---\n")).toBe("");
});
