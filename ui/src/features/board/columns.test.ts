import { describe, expect, it } from "vitest";
import type { FeatureStatus } from "@/api/types";
import { card } from "@/test/samples";
import { arrange, COLUMNS, columnOf, moveTo } from "./columns";
import { choicesOf, filterCards, filterOf, saidWithin, USUAL } from "./filter";
import { positionsFor } from "./moves";

const ids = (cards: { id: string }[]) => cards.map((entry) => entry.id).join(" ");

describe("arrange", () => {
  it("gives every status one column", () => {
    const statuses: FeatureStatus[] = [
      "backlog",
      "queued",
      "in_progress",
      "waiting_approval",
      "verified",
      "completed",
      "failed",
      "paused",
    ];
    const shown = COLUMNS.flatMap((column) => column.statuses);
    expect([...shown].sort()).toEqual([...statuses].sort());
  });

  it("orders the backlog by position, and work by what is at work", () => {
    const columns = arrange([
      card({ id: "b2", position: 2, number: 2 }),
      card({ id: "b1", position: 1.5, number: 3 }),
      card({ id: "q", status: "queued" }),
      card({ id: "young", status: "in_progress", startedAt: "2026-03-10T11:00:00Z" }),
      card({ id: "old", status: "in_progress", startedAt: "2026-03-10T09:00:00Z" }),
      card({ id: "paused", status: "paused", updatedAt: "2026-03-10T11:59:00Z" }),
      card({ id: "failed", status: "failed", updatedAt: "2026-03-10T08:00:00Z" }),
    ]);
    expect(ids(columns.backlog)).toBe("b1 b2");
    expect(ids(columns.working)).toBe("old young q");
    expect(ids(columns.stopped)).toBe("failed paused");
  });
});

describe("moveTo", () => {
  const to = (status: FeatureStatus, column: Parameters<typeof moveTo>[1]) => {
    const move = moveTo(card({ id: "a", status }), column);
    return move.kind === "action" ? move.action : move.kind;
  };

  it("means what the columns say", () => {
    expect(to("backlog", "working")).toBe("start");
    expect(to("failed", "working")).toBe("retry");
    expect(to("paused", "working")).toBe("retry");
    expect(to("in_progress", "stopped")).toBe("stop");
    expect(to("queued", "stopped")).toBe("stop");
    expect(to("waiting_approval", "verified")).toBe("verify");
    expect(to("verified", "completed")).toBe("merge");
    expect(to("waiting_approval", "completed")).toBe("merge");
    expect(to("waiting_approval", "backlog")).toBe("shelve");
    expect(to("backlog", "backlog")).toBe("reorder");
  });

  it("refuses what the state machine does not know", () => {
    expect(to("backlog", "verified")).toBe("refused");
    expect(to("backlog", "completed")).toBe("refused");
    expect(to("in_progress", "backlog")).toBe("refused");
    expect(to("in_progress", "review")).toBe("refused");
    expect(to("completed", "backlog")).toBe("refused");
    expect(to("waiting_approval", "working")).toBe("refused");
    expect(to("verified", "stopped")).toBe("refused");
  });

  it("does nothing within any column but the backlog", () => {
    for (const status of ["queued", "failed", "waiting_approval", "verified", "completed"] as const) {
      expect(to(status, columnOf(status))).toBe("none");
    }
  });
});

describe("positionsFor", () => {
  const list = (...positions: number[]) => positions.map((position, n) => card({ id: `c${n}`, position }));

  it("puts a card before, between and behind", () => {
    expect(positionsFor([], 0, "x")).toEqual([{ id: "x", position: 1 }]);
    expect(positionsFor(list(4, 8), 0, "x")).toEqual([{ id: "x", position: 3 }]);
    expect(positionsFor(list(4, 8), 1, "x")).toEqual([{ id: "x", position: 6 }]);
    expect(positionsFor(list(4, 8), 2, "x")).toEqual([{ id: "x", position: 9 }]);
  });

  it("makes room where two neighbours have grown too close", () => {
    const near = 1 + Number.EPSILON;
    const cards = list(1, near, 2.5, 9);
    const changes = positionsFor(cards, 1, "x");
    const after = new Map([
      ...cards.map((c) => [c.id, c.position] as const),
      ...changes.map((c) => [c.id, c.position] as const),
    ]);
    const order = [...after].sort((a, b) => a[1] - b[1]).map(([id]) => id);
    expect(order).toEqual(["c0", "x", "c1", "c2", "c3"]);
    expect(new Set(after.values()).size).toBe(5);
    expect(changes.some((change) => change.id === "c3")).toBe(false);
  });
});

describe("filterCards", () => {
  const cards = [
    card({ id: "a", number: 12, title: "Rate limit the endpoints", category: "api", priority: 1 }),
    card({ id: "b", number: 2, title: "Document the limits", category: "docs", priority: 3 }),
  ];
  const none = { text: "", category: null, priority: null, member: null, agent: null };

  it("finds by all words, by number, category and priority", () => {
    expect(ids(filterCards(cards, { ...none, text: "limit api" }))).toBe("a");
    expect(ids(filterCards(cards, { ...none, text: "#12" }))).toBe("a");
    expect(ids(filterCards(cards, { ...none, category: "docs" }))).toBe("b");
    expect(ids(filterCards(cards, { ...none, priority: 1, text: "LIMIT" }))).toBe("a");
    expect(filterCards(cards, none)).toBe(cards);
  });

  it("finds a member's cards, whether written or started, and an agent's", () => {
    const all = [
      card({ id: "written", createdBy: "anna", agentId: null }),
      card({ id: "started", createdBy: "ben", startedBy: "anna", agentId: "tester" }),
      card({ id: "other", createdBy: "ben", agentId: null }),
    ];
    expect(ids(filterCards(all, { ...none, member: "anna" }))).toBe("written started");
    expect(ids(filterCards(all, { ...none, member: "ben" }))).toBe("started other");
    expect(ids(filterCards(all, { ...none, agent: "tester" }))).toBe("started");
    expect(ids(filterCards(all, { ...none, agent: USUAL, member: "ben" }))).toBe("other");
  });

  it("asks whose only where there is a choice", () => {
    const one = [card({ id: "x", createdBy: "anna" }), card({ id: "y", createdBy: "anna" })];
    expect(choicesOf([])).toEqual({ members: false, agents: false });
    expect(choicesOf(one)).toEqual({ members: false, agents: false });
    expect(choicesOf([...one, card({ id: "x", createdBy: "ben", agentId: "tester" })])).toEqual({
      members: true,
      agents: true,
    });
  });
});

describe("cards that the server found by their descriptions", () => {
  const cards = [
    card({ id: "a", title: "Log in" }),
    card({ id: "b", title: "Passwords", category: "api" }),
    card({ id: "c", title: "Other", category: "docs" }),
  ];
  const said = new Set(["a", "b"]);

  it("are let through beside those whose own line has the words, and by no other part of the filter", () => {
    expect(ids(filterCards(cards, filterOf({ q: "log" }), said))).toBe("a b");
    expect(ids(filterCards(cards, filterOf({ q: "log" })))).toBe("a");
    expect(ids(filterCards(cards, filterOf({ q: "log", category: "docs" }), said))).toBe("");
  });

  it("are told apart where one does not see why", () => {
    expect([...saidWithin(cards, "log", said)]).toEqual(["b"]);
    expect(saidWithin(cards, "log", new Set()).size).toBe(0);
  });
});
