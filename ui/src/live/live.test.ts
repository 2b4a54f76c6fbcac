import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keys } from "@/api/keys";
import type { FeatureCard, Project, ProjectListItem, RunHistoryEvent } from "@/api/types";
import { card, feature, run, runEvent } from "@/test/samples";
import { applyEvents, placeCard, putFeature, putProject } from "./apply";
import { addOutput, clearOutput, liveOutput } from "./output";
import { collectRunEvents, fetchUnder, forgetRecent, joinEvents, overlay, rememberFeature } from "./recent";

const at = "2026-03-10T12:00:00Z";
const ids = (cards: { id: string }[] | undefined) => cards?.map((entry) => entry.id).join(" ");

let client: QueryClient;
beforeEach(() => {
  client = new QueryClient();
});
afterEach(() => {
  forgetRecent();
  clearOutput();
  vi.useRealTimers();
});

describe("cards from the socket", () => {
  it("patches board, active list, feature and counts", () => {
    client.setQueryData(keys.board("p1"), [card({ id: "a" }), card({ id: "b", position: 2 })]);
    client.setQueryData(keys.active("p1"), []);
    client.setQueryData(keys.feature("a"), feature({ id: "a" }));
    client.setQueryData(keys.projects, [
      { id: "p1", counts: { backlog: 2 } },
    ] as unknown as ProjectListItem[]);
    applyEvents(client, [
      { type: "feature.updated", seq: 2, at, feature: feature({ id: "a", status: "queued", version: 2 }) },
    ]);
    expect(client.getQueryData<FeatureCard[]>(keys.board("p1"))?.[0]?.status).toBe("queued");
    expect(ids(client.getQueryData(keys.active("p1")))).toBe("a");
    expect(client.getQueryData<FeatureCard>(keys.feature("a"))?.status).toBe("queued");
    expect(client.getQueryData<ProjectListItem[]>(keys.projects)?.[0]?.counts).toEqual({
      backlog: 1,
      queued: 1,
    });
    applyEvents(client, [
      { type: "feature.updated", seq: 3, at, feature: feature({ id: "a", status: "completed", version: 3 }) },
    ]);
    expect(ids(client.getQueryData(keys.active("p1")))).toBe("");
  });

  it("lets no older version replace a newer one", () => {
    client.setQueryData(keys.board("p1"), [card({ id: "a", version: 5, status: "verified" })]);
    applyEvents(client, [{ type: "feature.updated", seq: 2, at, feature: feature({ id: "a", version: 4 }) }]);
    expect(client.getQueryData<FeatureCard[]>(keys.board("p1"))?.[0]?.status).toBe("verified");
  });

  const counts = () => client.getQueryData<ProjectListItem[]>(keys.projects)?.[0]?.counts;
  const isOld = (key: readonly unknown[]) => client.getQueryState(key)?.isInvalidated;

  it("asks anew what is found in cards when one changed, came or went", () => {
    client.setQueryData(keys.board("p1"), [card({ id: "a", version: 2 })]);
    const key = [...keys.said("p1"), "token"];
    const staleBy = (...events: Parameters<typeof applyEvents>[1]) => {
      client.setQueryData(key, {});
      applyEvents(client, events);
      return isOld(key);
    };
    const told = (id: string, version: number) =>
      staleBy({ type: "feature.updated", seq: 2, at, feature: feature({ id, version }) });
    expect(told("a", 3)).toBe(true);
    expect(told("a", 3)).toBe(false);
    expect(told("b", 1)).toBe(true);
    expect(staleBy({ type: "feature.deleted", seq: 3, at, featureId: "a", projectId: "p1" } as never)).toBe(
      true,
    );
  });

  it("counts nothing twice: what it knows no past of, the server says", () => {
    client.setQueryData(keys.projects, [
      { id: "p1", counts: { backlog: 2 } },
    ] as unknown as ProjectListItem[]);
    client.setQueryData(keys.active("p1"), []);
    // A card of a board that was not looked at is edited.
    applyEvents(client, [{ type: "feature.updated", seq: 2, at, feature: feature({ id: "a", version: 2 }) }]);
    expect(counts()).toEqual({ backlog: 2 });
    expect(isOld(keys.projects)).toBe(true);
    applyEvents(client, [{ type: "feature.created", seq: 3, at, feature: feature({ id: "b" }) }]);
    expect(counts()).toEqual({ backlog: 3 });
    // What this page made is counted where its answer is put in.
    rememberFeature(feature({ id: "c" }));
    applyEvents(client, [{ type: "feature.created", seq: 4, at, feature: feature({ id: "c" }) }]);
    expect(counts()).toEqual({ backlog: 3 });
  });

  it("moves no count for an answer that was slower than the socket", () => {
    client.setQueryData(keys.projects, [
      { id: "p1", counts: { in_progress: 1 } },
    ] as unknown as ProjectListItem[]);
    client.setQueryData(keys.board("p1"), [card({ id: "a", version: 6, status: "in_progress" })]);
    putFeature(client, feature({ id: "a", version: 5, status: "queued" }));
    expect(counts()).toEqual({ in_progress: 1 });
    expect(isOld(keys.projects)).toBe(false);
  });

  it("takes what is deleted, or became a card, off the lists of chats", () => {
    const list = [...keys.chats("p1"), false];
    const fresh = () => client.setQueryData(list, { pages: [{ items: [{ id: "talk" }] }], pageParams: [] });
    fresh();
    applyEvents(client, [{ type: "feature.updated", seq: 2, at, feature: feature({ id: "other" }) }]);
    expect(isOld(list)).toBe(false);
    applyEvents(client, [{ type: "feature.updated", seq: 3, at, feature: feature({ id: "talk" }) }]);
    expect(isOld(list)).toBe(true);
    fresh();
    expect(isOld(list)).toBe(false);
    applyEvents(client, [{ type: "feature.deleted", seq: 4, at, featureId: "talk", projectId: "p1" }]);
    expect(isOld(list)).toBe(true);
    // The palette's is no list of pages.
    const found = [...keys.chats("p1"), "palette"];
    client.setQueryData(found, [{ id: "talk" }]);
    putFeature(client, feature({ id: "new" }));
    expect(isOld(found)).toBe(false);
    putFeature(client, feature({ id: "talk" }));
    expect(isOld(found)).toBe(true);
  });

  it("knows its files for old when somebody puts one on it, and not with every other change", () => {
    client.setQueryData(keys.feature("a"), feature({ id: "a", version: 2 }));
    client.setQueryData(keys.attachments("a"), []);
    const isOld = () => client.getQueryState(keys.attachments("a"))?.isInvalidated;
    const told = (version: number) =>
      applyEvents(client, [
        { type: "feature.updated", seq: version, at, feature: feature({ id: "a", version }) },
      ]);
    told(3);
    expect(isOld()).toBe(false);
    told(3);
    expect(isOld()).toBe(true);
  });

  it("keeps the order when a card is new, moved or deleted", () => {
    const list = [card({ id: "a", position: 1 }), card({ id: "c", position: 3, number: 3 })];
    const more = placeCard(list, card({ id: "b", position: 2, number: 2 }));
    expect(ids(more)).toBe("a b c");
    expect(ids(placeCard(more, card({ id: "a", position: 9, version: 2 })))).toBe("b c a");
    client.setQueryData(keys.board("p1"), more);
    applyEvents(client, [{ type: "feature.deleted", seq: 4, at, featureId: "b", projectId: "p1" }]);
    expect(ids(client.getQueryData(keys.board("p1")))).toBe("a c");
  });

  it("lays an answer that left before an event under that event", () => {
    rememberFeature(feature({ id: "a", version: 3, status: "verified" }));
    rememberFeature(feature({ id: "new", version: 1, position: 7 }));
    rememberFeature(feature({ id: "elsewhere", projectId: "p2" }));
    const list = overlay("p1", [card({ id: "a", version: 2 }), card({ id: "b", position: 2 })], () => true);
    expect(list.map((entry) => `${entry.id} ${entry.status}`)).toEqual([
      "a verified",
      "b backlog",
      "new backlog",
    ]);
    expect(ids(overlay("p1", [card({ id: "a", version: 2 })], (c) => c.status === "backlog"))).toBe("new");
  });
});

describe("things without a version", () => {
  const project = (status: string, updatedAt: string) =>
    ({ id: "p1", name: "One", status, updatedAt }) as unknown as Project;

  it("are taken from the socket when it was faster than the answer", async () => {
    const failed = project("failed", "2026-03-10T12:00:01Z");
    const fetched = await fetchUnder("project", "p1", async () => {
      applyEvents(client, [{ type: "project.updated", seq: 2, at, project: failed }]);
      return project("preparing", at);
    });
    expect(fetched.status).toBe("failed");
    putProject(client, project("preparing", at));
    expect(client.getQueryData<Project>(keys.project("p1"))?.status).toBe("failed");
  });

  it("are told of when somebody pushed into them: the commits that are shown are old", () => {
    const commits = [...keys.commits("p1"), null];
    client.setQueryData(commits, { items: [] });
    applyEvents(client, [{ type: "project.updated", seq: 2, at, project: project("ready", at) }]);
    expect(client.getQueryState(commits)?.isInvalidated).toBe(true);
  });

  it("are taken from the answer when the socket told of them long before", async () => {
    applyEvents(client, [{ type: "run.updated", seq: 2, at, run: run({ id: "r1", status: "queued" }) }]);
    await new Promise((resolve) => setTimeout(resolve, 2));
    const fetched = await fetchUnder("run", "r1", async () => run({ id: "r1", status: "running" }));
    expect(fetched.status).toBe("running");
  });
});

describe("what happens in a run", () => {
  it("is appended once, in order", () => {
    const first = runEvent(5, { kind: "note", text: "one" });
    const second = runEvent(6, { kind: "note", text: "two" });
    client.setQueryData(keys.runEvents("r1"), [first]);
    applyEvents(client, [second]);
    applyEvents(client, [second]);
    const seqs = client.getQueryData<RunHistoryEvent[]>(keys.runEvents("r1"))?.map((event) => event.seq);
    expect(seqs).toEqual([5, 6]);
  });

  it("is not lost while the history is on its way", () => {
    const [arrived, stop] = collectRunEvents("r1");
    applyEvents(client, [runEvent(7, { kind: "note", text: "late" })]);
    stop();
    applyEvents(client, [runEvent(8, { kind: "note", text: "later" })]);
    const joined = joinEvents([runEvent(6, { kind: "note", text: "old" })], arrived);
    expect(joined.map((event) => event.seq)).toEqual([6, 7]);
  });

  it("puts runs in front and changes them in place", () => {
    client.setQueryData(keys.runs("f1"), [run({ id: "r1" })]);
    applyEvents(client, [
      { type: "run.updated", seq: 2, at, run: run({ id: "r2" }) },
      { type: "run.updated", seq: 3, at, run: run({ id: "r1", status: "waiting" }) },
    ]);
    expect(client.getQueryData<{ status: string }[]>(keys.runs("f1"))?.map((entry) => entry.status)).toEqual([
      "running",
      "waiting",
    ]);
  });

  it("marks what a member was told as old, the count of what is unread with it", () => {
    client.setQueryData(keys.unread, 1);
    client.setQueryData([...keys.notifications, "list", false], {});
    applyEvents(client, [{ type: "notification.updated", seq: 2, at, memberId: "m1", notification: null }]);
    expect(client.getQueryState(keys.unread)?.isInvalidated).toBe(true);
    expect(client.getQueryState([...keys.notifications, "list", false])?.isInvalidated).toBe(true);
  });

  it("marks the diff as old when the files changed", () => {
    client.setQueryData(keys.diff("f1"), {});
    const saved = { kind: "turn_saved", turn: 1, stopReason: "tool_use", costMicros: 1 } as const;
    const usage = { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheWriteTokens: 0 };
    applyEvents(client, [runEvent(2, { ...saved, usage, snapshot: null })]);
    expect(client.getQueryState(keys.diff("f1"))?.isInvalidated).toBe(false);
    applyEvents(client, [runEvent(3, { ...saved, usage, snapshot: "abc" })]);
    expect(client.getQueryState(keys.diff("f1"))?.isInvalidated).toBe(true);
  });

  it("marks the diff as old when somebody changed the files at a terminal", () => {
    const put = (headCommit: string) =>
      applyEvents(client, [
        { type: "run.updated", seq: 2, at, run: run({ id: "r1", featureId: "f1", headCommit }) },
      ]);
    // A page may know the run from a list alone.
    client.setQueryData(keys.runs("f1"), [run({ id: "r1", featureId: "f1", headCommit: "abc" })]);
    client.setQueryData(keys.diff("f1"), {});
    put("abc");
    expect(client.getQueryState(keys.diff("f1"))?.isInvalidated).toBe(false);
    put("def");
    expect(client.getQueryState(keys.diff("f1"))?.isInvalidated).toBe(true);
  });
});

describe("live output", () => {
  const text = (offset: number, words: string, turn = 1) =>
    addOutput({ runId: "r1", turn, stream: { kind: "text", block: 0 }, offset, text: words });

  it("joins pieces by their offsets, in characters", () => {
    text(0, "Grüße 👋");
    text(7, " Welt");
    text(7, " Welt");
    expect(liveOutput("r1")[0]?.text).toBe("Grüße 👋 Welt");
  });

  it("takes over a repeated beginning and shows a gap", () => {
    text(10, "middle");
    expect(liveOutput("r1")[0]?.missing).toBe(10);
    text(0, "beginning middle");
    expect(liveOutput("r1")[0]).toMatchObject({ text: "beginning middle", missing: 0 });
    text(40, "after a gap");
    expect(liveOutput("r1")[0]).toMatchObject({ text: "after a gap", missing: 40 });
  });

  it("gives way to the stored event", () => {
    text(0, "words");
    addOutput({ runId: "r1", turn: 1, stream: { kind: "tool", call: "t1" }, offset: 0, text: "out" });
    applyEvents(client, [runEvent(2, { kind: "text", turn: 1, text: "words" })]);
    expect(liveOutput("r1").map((stream) => stream.stream.kind)).toEqual(["tool"]);
    applyEvents(client, [
      runEvent(3, {
        kind: "tool_finished",
        turn: 1,
        call: "t1",
        tool: "bash",
        output: "out",
        isError: false,
        durationMs: 5,
      }),
    ]);
    expect(liveOutput("r1")).toHaveLength(0);
    text(0, "next turn", 2);
    applyEvents(client, [runEvent(4, { kind: "thinking", turn: 1, text: "" })]);
    expect(liveOutput("r1")).toHaveLength(1);
  });
});
