import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Check, RunHistoryEvent, RunStatus } from "@/api/types";
import { keepFor, persistent } from "@/lib/persistent";
import { commentsOf } from "./changes/comment-state";
import { roundsOf, setUpOf } from "./checks/rounds";
import { languageOf } from "./code/languages";
import { kept } from "./lib/kept";
import { rowsOf, wordsOf } from "./live/rows";
import { writingOf } from "./live/stream";
import { Terminal } from "./live/Terminal";
import { timelineOf } from "./live/timeline";
import { commitMessage } from "./merge/message";
import { firstTab } from "./place";

describe("rounds of checks", () => {
  const check = (
    id: string,
    command: string,
    commitId: string,
    status: Check["status"] = "passed",
  ): Check => ({
    id,
    runId: "r",
    kind: "check",
    command,
    status,
    exitCode: 0,
    output: "",
    commitId,
    startedAt: `2026-01-01T00:00:0${id}Z`,
    endedAt: null,
  });

  it("hold what ran on the same state, the latest first", () => {
    const rounds = roundsOf(
      [
        check("1", "lint", "a"),
        check("2", "test", "a", "failed"),
        check("3", "lint", "a"),
        check("4", "test", "a"),
        check("5", "lint", "b"),
      ].reverse(),
    );
    expect(rounds.map((round) => round.checks.map((entry) => entry.id).join())).toEqual(["5", "3,4", "1,2"]);
    expect(roundsOf([])).toEqual([]);
    const setUp = (id: string): Check => ({ ...check(id, "npm ci", "a"), kind: "set-up" });
    const mixed = [check("3", "lint", "a"), setUp("2"), setUp("1")];
    expect(roundsOf(mixed)).toHaveLength(1);
    expect(setUpOf(mixed).map((entry) => entry.id)).toEqual(["2"]);
  });
});

describe("rows", () => {
  const events: RunHistoryEvent[] = [
    {
      seq: 1,
      at: "",
      type: "run.event",
      runId: "r",
      featureId: "f",
      event: { kind: "tool_started", turn: 1, call: "a", tool: "bash", input: { command: "make" } },
    },
  ];
  const printing = {
    key: "1:tool:a",
    turn: 1,
    stream: { kind: "tool", call: "a" },
    text: "…",
    missing: 0,
  } as const;

  it("carry what a running command prints, and say that the agent is at work only while it is", () => {
    const timeline = timelineOf(events);
    const rows = rowsOf(timeline, writingOf([printing], timeline), "running");
    expect(rows).toMatchObject([{ kind: "item", key: "1", live: { text: "…" } }]);
    const empty = { items: [], turns: new Map() };
    expect(rowsOf(empty, writingOf([], empty), "running")).toMatchObject([{ kind: "working" }]);
    expect(rowsOf(empty, writingOf([], empty), "waiting")).toEqual([]);
  });

  it("tell of a command without an answer that it was interrupted, once nobody works on the run", () => {
    const timeline = timelineOf(events);
    const rows = (status: RunStatus) => rowsOf(timeline, writingOf([], timeline), status);
    expect(rows("running")).toMatchObject([{ item: { state: "running" } }]);
    expect(rows("queued")).toMatchObject([{ item: { state: "interrupted" } }]);
  });

  it("say what it is at in a few words", () => {
    const [item] = timelineOf(events).items;
    if (item?.kind !== "tool") throw new Error("no call");
    expect(wordsOf({ kind: "tool", item })).toBe("Running make");
    expect(wordsOf({ kind: "check", command: "./test.sh" })).toBe("Checking ./test.sh");
    expect(wordsOf({ kind: "waiting", reason: "The limit is used up. It goes on.", until: "" })).toBe(
      "The limit is used up",
    );
  });
});

describe("small parts", () => {
  it("knows a file's language by its name or its first line", () => {
    expect(languageOf("src/main.rs")).toBe("rust");
    expect(languageOf("Dockerfile")).toBe("docker");
    expect(languageOf("Cargo.lock")).toBe("toml");
    expect(languageOf("package-lock.json")).toBe("json");
    expect(languageOf("todo", "#!/usr/bin/env bash")).toBe("shellscript");
    expect(languageOf("todo", "plain")).toBeNull();
    expect(languageOf("a.unknown")).toBeNull();
    expect(languageOf("constructor")).toBeNull();
  });

  it("begins where it matters", () => {
    expect(firstTab({ status: "backlog", stage: null })).toBe("overview");
    expect(firstTab({ status: "in_progress", stage: null })).toBe("live");
    expect(firstTab({ status: "waiting_approval", stage: null })).toBe("changes");
    expect(firstTab({ status: "failed", stage: null })).toBe("live");
  });

  it("writes the commit's message from the card", () => {
    expect(commitMessage({ title: "Add it", number: 3, summary: null })).toBe("Add it (#3)");
    expect(commitMessage({ title: "Add it", number: 3, summary: " Done.\n" })).toBe("Add it (#3)\n\nDone.");
  });
});

describe("what is kept in the browser", () => {
  beforeEach(() => localStorage.clear());

  it("is a member's own", () => {
    localStorage.setItem("guildhall.draft.f2", '"Somebody\'s, from before that"');
    localStorage.setItem("guildhall.diff", "{}");
    keepFor("ada");
    expect(Object.keys(localStorage)).toEqual(["guildhall.diff"]);
    kept.draft("f2").set("Ada's words");
    expect(keepFor("ben")).toBe(true);
    expect(kept.draft("f2").get()).toBe("");
    kept.draft("f2").set("Ben's");
    expect(keepFor("ben")).toBe(false);
    keepFor("ada");
    expect(kept.draft("f2").get()).toBe("Ada's words");
    keepFor("m1");
  });

  it("holds the comment that is being written, whoever looks elsewhere meanwhile", () => {
    const line = (n: number) => ({ kind: "add", oldLine: null, newLine: n, text: "let x;" }) as const;
    const first = commentsOf("f3");
    first.begin("a.ts", "new", line(1));
    first.writing.set((now) => now && { ...now, text: "Why not" });
    const later = commentsOf("f3");
    expect(later.writing.get()?.text).toBe("Why not");
    later.begin("a.ts", "new", line(2));
    expect(later.list.get()).toMatchObject([{ line: 1, text: "Why not" }]);
    expect(later.writing.get()).toMatchObject({ line: 2, text: "" });
    // Its field takes the focus once, and not again when it is found there.
    expect([later.wasBegun(), later.wasBegun()]).toEqual([true, false]);
  });

  it("survives, and takes no room when it is empty", () => {
    keepFor("m1");
    const draft = kept.draft("f1");
    draft.set("half a sentence");
    expect(localStorage.getItem("guildhall.m1.draft.f1")).toBe('"half a sentence"');
    expect(kept.draft("f1").get()).toBe("half a sentence");
    draft.set("");
    expect(localStorage.getItem("guildhall.m1.draft.f1")).toBeNull();
  });

  it("does without storage and with what others left there", () => {
    localStorage.setItem("guildhall.broken", "{");
    expect(persistent("guildhall.broken", 7).get()).toBe(7);
    vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
      throw new DOMException("full");
    });
    const store = persistent("guildhall.full", "");
    store.set("x");
    expect(store.get()).toBe("x");
    vi.restoreAllMocks();
  });
});

describe("Terminal", () => {
  const text = Array.from({ length: 30 }, (_, i) => `\u001b[32mline ${i + 1}\u001b[0m of output`).join("\n");

  it("finds what is looked for, one match after the other", async () => {
    const user = userEvent.setup();
    render(<Terminal text={text} />);
    const field = screen.getByLabelText("Search the output");
    await user.type(field, "line 2");
    expect(screen.getByRole("status").textContent).toBe("1 of 11");
    await user.keyboard("{Enter}{Enter}");
    expect(screen.getByRole("status").textContent).toBe("3 of 11");
    await user.keyboard("{Shift>}{Enter}{/Shift}");
    expect(screen.getByRole("status").textContent).toBe("2 of 11");
    expect(document.querySelectorAll("mark")).toHaveLength(11);
    await user.keyboard("{Escape}");
    expect(document.querySelectorAll("mark")).toHaveLength(0);
    await user.type(field, "nowhere");
    expect(screen.getByRole("status").textContent).toBe("None");
  });

  it("shows the end of very long output, and all of it on demand", async () => {
    const user = userEvent.setup();
    const long = Array.from({ length: 900 }, (_, i) => `row ${i + 1}`).join("\n");
    render(<Terminal text={long} />);
    expect(screen.queryByText("row 1")).toBeNull();
    expect(screen.getByText("row 900")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: /Show all of it/ }));
    expect(screen.getByText("row 1")).toBeTruthy();
  });
});
