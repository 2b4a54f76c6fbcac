import { describe, expect, it } from "vitest";
import type { Check, RunEvent, RunHistoryEvent } from "@/api/types";
import type { LiveStream } from "@/live/output";
import { activityOf, writingOf } from "./stream";
import { isFailure, sameItem, timelineOf } from "./timeline";
import { commandEnd, editStat, numberedLines, sayingOf } from "./tools";

const history = (...events: RunEvent[]): RunHistoryEvent[] =>
  events.map((event, at) => ({
    seq: at + 1,
    at: `2026-01-01T00:00:${String(at).padStart(2, "0")}Z`,
    type: "run.event",
    runId: "r",
    featureId: "f",
    event,
  }));

const started: RunEvent = {
  kind: "started",
  attempt: 1,
  model: "m",
  keySource: "simulated",
  resumed: false,
};
const begin = (turn: number, call: string, tool = "read"): RunEvent => ({
  kind: "tool_started",
  turn,
  call,
  tool,
  input: { path: "a" },
});
const finish = (turn: number, call: string, isError = false): RunEvent => ({
  kind: "tool_finished",
  turn,
  call,
  tool: "read",
  output: "out",
  isError,
  durationMs: 5,
});
const saved = (turn: number): RunEvent => ({
  kind: "turn_saved",
  turn,
  stopReason: "tool_use",
  usage: { inputTokens: 1, outputTokens: 2, cacheReadTokens: 3, cacheWriteTokens: 4 },
  costMicros: 10,
  snapshot: null,
});
const check = (status: Check["status"], output = ""): RunEvent => ({
  kind: "check",
  check: {
    id: "c",
    runId: "r",
    kind: "check",
    command: "./test.sh",
    status,
    exitCode: null,
    output,
    commitId: null,
    startedAt: "",
    endedAt: null,
  },
});

describe("timelineOf", () => {
  it("joins the beginning and the end of a call, and of a check", () => {
    const { items, turns } = timelineOf(
      history(
        started,
        { kind: "said", memberId: "ada", text: "Do it" },
        { kind: "thinking", turn: 1, text: "hm" },
        { kind: "thinking", turn: 1, text: "  " },
        { kind: "text", turn: 1, text: "I look." },
        begin(1, "a"),
        finish(1, "a"),
        begin(1, "b"),
        finish(1, "b", true),
        saved(1),
        begin(2, "c"),
        { kind: "said", memberId: "ada", text: "And that" },
        check("running"),
        check("failed", "no"),
      ),
    );
    expect(items.map((item) => item.kind)).toEqual([
      "started",
      "said",
      "thinking",
      "words",
      "tool",
      "tool",
      "tool",
      "said",
      "check",
    ]);
    expect(items.flatMap((item) => (item.kind === "tool" ? [item.state] : []))).toEqual([
      "done",
      "failed",
      "running",
    ]);
    expect(items.filter((item) => item.first).map((item) => item.turn)).toEqual([1, 2]);
    expect(items.flatMap((item) => (item.kind === "said" ? [item.opening] : []))).toEqual([true, false]);
    expect(turns.get(1)?.costMicros).toBe(10);
    expect(items.filter(isFailure).map((item) => item.kind)).toEqual(["tool", "check"]);
  });

  it("tells of a call that never ended that it was interrupted, until its answer comes", () => {
    const events = history(
      started,
      begin(1, "a"),
      { kind: "ended", status: "stopped", problem: null },
      { ...started, attempt: 2, resumed: true },
    );
    expect(timelineOf(events).items[1]).toMatchObject({ state: "interrupted" });
    const answered = timelineOf([
      ...events,
      ...history(started, started, started, started, finish(1, "a", true)).slice(4),
    ]);
    expect(answered.items[1]).toMatchObject({ state: "failed", output: "out" });
    expect(answered.items).toHaveLength(4);
  });

  it("shows a plan once, and ends a wait with what comes next", () => {
    const waiting: RunEvent = { kind: "waiting", reason: "limit", until: "2026-01-01T00:10:00Z" };
    const tasks = [{ title: "t", status: "pending" as const }];
    const { items } = timelineOf(
      history(started, begin(1, "p", "plan"), { kind: "plan", tasks }, waiting, {
        kind: "said",
        memberId: null,
        text: "x",
      }),
    );
    expect(items.map((item) => item.kind)).toEqual(["started", "tool", "waiting", "said"]);
    expect(items[2]).toMatchObject({ over: false });
    const later = timelineOf(
      history(waiting, { kind: "text", turn: 1, text: "on" }, { kind: "plan", tasks }),
    );
    expect(later.items[0]).toMatchObject({ over: true });
    expect(later.items.at(-1)?.kind).toBe("plan");
    const longer = { ...waiting, until: "2026-01-01T00:20:00Z" };
    expect(timelineOf(history(started, waiting, longer)).items).toMatchObject([
      { kind: "started" },
      { kind: "waiting", key: "2", until: longer.until, over: false },
    ]);
  });

  it("keeps what did not change", () => {
    const [a] = timelineOf(history(begin(1, "a"))).items;
    const [b] = timelineOf(history(begin(1, "a"))).items;
    const [c] = timelineOf(history(begin(1, "a"), finish(1, "a"))).items;
    if (!a || !b || !c) throw new Error("no items");
    expect(sameItem(a, { ...b, input: a.kind === "tool" ? a.input : null } as typeof a)).toBe(true);
    expect(sameItem(a, c)).toBe(false);
  });

  it("holds the files that came with words, and the images that a tool returned", () => {
    const file = { id: "f", featureId: "c", name: "a.png", mediaType: "image/png", size: 3, createdAt: "" };
    const shown = { ...finish(1, "a"), images: [file] } as RunEvent;
    const said: RunEvent = { kind: "said", memberId: "ada", text: "Look", files: [file] };
    const { items } = timelineOf(history(said, begin(1, "a"), shown, begin(1, "b"), finish(1, "b")));
    expect(
      items.map((item) => ("files" in item ? item.files : "images" in item ? item.images : null)),
    ).toEqual([[file], [file], null]);
  });

  it("holds an answer whose call it never saw, and kinds it does not know", () => {
    const { items } = timelineOf(history(finish(3, "z"), { kind: "later" } as unknown as RunEvent));
    expect(items).toMatchObject([{ kind: "tool", state: "done", turn: 3 }]);
  });
});

describe("live words", () => {
  const live = (turn: number, stream: LiveStream["stream"], text = "…"): LiveStream => ({
    key: `${turn}:${JSON.stringify(stream)}`,
    turn,
    stream,
    text,
    missing: 0,
  });

  it("go where they belong, in the order of the answer", () => {
    // The tools of the turn still run: its answer is there all the same, and is not shown twice.
    const timeline = timelineOf(history(started, begin(1, "a", "bash")));
    const writing = writingOf(
      [
        live(1, { kind: "tool", call: "a" }),
        live(1, { kind: "text", block: 0 }),
        live(2, { kind: "text", block: 1 }),
        live(2, { kind: "thinking", block: 0 }),
        live(2, { kind: "text", block: 2 }, ""),
        live(9, { kind: "check", command: "./test.sh" }),
      ],
      timeline,
    );
    expect(writing.tail.map((entry) => [entry.turn, entry.stream.kind])).toEqual([
      [2, "thinking"],
      [2, "text"],
    ]);
    expect([...writing.calls.keys()]).toEqual(["a"]);
    expect([...writing.checks.keys()]).toEqual(["./test.sh"]);
  });

  it("say what the agent is at", () => {
    const nothing = writingOf([], { items: [], turns: new Map() });
    const at = (...events: RunEvent[]) => activityOf(timelineOf(history(...events)), nothing).kind;
    expect(at(started)).toBe("starting");
    expect(at(started, begin(1, "a"))).toBe("tool");
    expect(at(started, begin(1, "a"), finish(1, "a"), saved(1))).toBe("asking");
    expect(at(started, begin(1, "a"), finish(1, "a"), check("running"))).toBe("check");
    expect(at(started, { kind: "waiting", reason: "r", until: "" })).toBe("waiting");
    const timeline = timelineOf(history(started));
    const writing = writingOf([live(1, { kind: "thinking", block: 0 })], timeline);
    expect(activityOf(timeline, writing).kind).toBe("thinking");
  });
});

describe("tools", () => {
  const say = (tool: string, input: unknown, state: "running" | "done" = "done") => {
    const { verb, target, more, stat } = sayingOf({ tool, input, state });
    return [verb, target, more, stat && `+${stat.added} −${stat.removed}`].filter(Boolean).join(" ");
  };

  it("are told in a few words", () => {
    expect(say("read", { path: "README.md" })).toBe("Read README.md");
    expect(say("read", { path: "a", offset: 10, limit: 5 })).toBe("Read a lines 10–14");
    expect(say("edit", { path: "a", oldText: "1\n2\n", newText: "1\n3\n4\n" })).toBe("Edited a +2 −1");
    expect(say("edit", { file_path: "a", old_string: "x", new_string: "" })).toBe("Edited a +0 −1");
    expect(say("write", { path: "a", content: "1\n2\n" })).toBe("Wrote a +2 −0");
    expect(say("bash", { command: "\ncd x\nmake" }, "running")).toBe("Running cd x …");
    expect(say("grep", { pattern: "TODO", glob: "*.rs" })).toBe("Searched for TODO in *.rs");
    expect(say("plan", { tasks: [{ title: "a", status: "completed" }, { title: "b" }] })).toBe(
      "Updated the plan 1 of 2 done",
    );
    expect(say("deploy", null)).toBe("Called deploy");
    expect(say("read", "not json")).toBe("Read");
  });

  it("leave their outcome at the end of the output", () => {
    expect(commandEnd("ok\n(exit code 0)")).toEqual({ output: "ok", exitCode: 0, how: null });
    expect(commandEnd("(no output, exit code 1)")).toEqual({ output: "", exitCode: 1, how: null });
    expect(commandEnd("a\n(ended by signal 9)")).toEqual({
      output: "a",
      exitCode: null,
      how: "ended by signal 9",
    });
    expect(
      commandEnd("a\n(timed out after 120 s, and was ended with everything that it had started)").how,
    ).toBe("timed out after 120 s");
    expect(commandEnd("(exit code 0) is what it prints\n")).toMatchObject({ exitCode: null });
  });

  it("count and number lines", () => {
    expect(editStat("a\nb\nc", "a\nB\nc")).toEqual({ added: 1, removed: 1 });
    expect(
      numberedLines("     9\tone\n    10\t\ttwo\n\n(Lines 9 to 10 of 12. Go on with offset 11.)"),
    ).toEqual({
      first: 9,
      lines: ["one", "\ttwo"],
      notes: ["(Lines 9 to 10 of 12. Go on with offset 11.)"],
    });
  });
});
