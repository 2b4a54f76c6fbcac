import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { FeatureCard, Project, ProjectListItem, RunHistoryEvent } from "@/api/types";
import { card, feature, run, runEvent } from "@/test/samples";
import { applyEvents, placeCard, putFeature, putProject } from "./apply";
import { addOutput, clearOutput, liveOutput } from "./output";
import { collectRunEvents, fetchUnder, forgetRecent, joinEvents, overlay, rememberFeature } from "./recent";
import { LiveSocket } from "./socket";

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

class FakeSocket {
  static all: FakeSocket[] = [];
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  closed = false;
  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }
  close() {
    this.closed = true;
  }
  say(frame: object) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  drop(code = 1006) {
    this.onclose?.({ code });
  }
}

describe("the socket", () => {
  const signedOut = vi.fn();
  let live: LiveSocket;
  const last = () => FakeSocket.all.at(-1) as FakeSocket;
  const since = (socket: FakeSocket) => new URL(socket.url).searchParams.get("since");

  beforeEach(() => {
    vi.useFakeTimers();
    FakeSocket.all = [];
    signedOut.mockReset();
    live = new LiveSocket({
      client,
      onSignedOut: signedOut,
      open: (url) => new FakeSocket(url) as unknown as WebSocket,
      random: () => 1,
    });
    live.start();
  });
  afterEach(() => live.stop());

  const updated = (seq: number, version: number) => ({
    type: "feature.updated",
    seq,
    at,
    feature: feature({ id: "a", version, title: `Version ${version}` }),
  });
  const title = () => client.getQueryData<FeatureCard[]>(keys.board("p1"))?.[0]?.title;

  it("goes on from the last event after a break, and hears no event twice", () => {
    client.setQueryData(keys.board("p1"), [card({ id: "a", version: 1 })]);
    last().say({ type: "hello", seq: 10, node: "n" });
    expect(live.state).toBe("live");
    expect(since(last())).toBeNull();
    last().say(updated(11, 2));
    vi.advanceTimersByTime(100);
    expect(title()).toBe("Version 2");

    last().drop();
    vi.advanceTimersByTime(500);
    expect(FakeSocket.all).toHaveLength(2);
    expect(since(last())).toBe("11");
    last().say({ type: "hello", seq: 12, node: "n" });
    client.setQueryData(keys.board("p1"), [card({ id: "a", version: 1 })]);
    last().say(updated(11, 2));
    last().say(updated(12, 3));
    vi.advanceTimersByTime(100);
    expect(title()).toBe("Version 3");
    expect(live.lastSeq).toBe(12);
  });

  it("keeps still about a short break, and says when it is a long one", () => {
    last().say({ type: "hello", seq: 1, node: "n" });
    last().drop();
    vi.advanceTimersByTime(1_000);
    expect(live.state).toBe("live");
    for (let n = 0; n < 4; n += 1) {
      last().drop();
      vi.advanceTimersByTime(2_000);
    }
    expect(live.state).toBe("offline");
    last().say({ type: "hello", seq: 1, node: "n" });
    expect(live.state).toBe("live");
  });

  it("believes the browser that the network is gone, and tries at once when it is back", () => {
    last().say({ type: "hello", seq: 4, node: "n" });
    const old = last();
    window.dispatchEvent(new Event("offline"));
    expect(old.closed).toBe(true);
    vi.advanceTimersByTime(300);
    expect(FakeSocket.all).toHaveLength(1);
    window.dispatchEvent(new Event("online"));
    expect(FakeSocket.all).toHaveLength(2);
    expect(since(last())).toBe("4");
  });

  it("waits longer and longer between tries", () => {
    const waits: number[] = [];
    for (let n = 0; n < 7; n += 1) {
      const before = FakeSocket.all.length;
      last().drop();
      let waited = 0;
      while (FakeSocket.all.length === before) {
        vi.advanceTimersByTime(100);
        waited += 100;
      }
      waits.push(waited);
    }
    expect(waits).toEqual([400, 800, 1_600, 3_200, 6_400, 12_800, 15_000]);
  });

  it("fetches everything anew when it is told to, and then asks for no replay", () => {
    void live.greeting();
    last().say({ type: "hello", seq: 5, node: "n" });
    client.setQueryData(keys.board("p1"), [card({ id: "a" })]);
    const old = last();
    old.say({ type: "resync" });
    expect(old.closed).toBe(true);
    expect(since(last())).toBeNull();
    // Only now: what is fetched before the greeting could miss an event.
    expect(client.getQueryState(keys.board("p1"))?.isInvalidated).toBe(false);
    // What the old connection still says is not heard.
    old.say(updated(6, 2));
    vi.advanceTimersByTime(100);
    expect(live.lastSeq).toBeNull();
    last().say({ type: "hello", seq: 9_000, node: "n" });
    expect(client.getQueryState(keys.board("p1"))?.isInvalidated).toBe(true);
  });

  it("starts over when the server's numbers went back", () => {
    last().say({ type: "hello", seq: 50, node: "n" });
    last().drop();
    vi.advanceTimersByTime(500);
    client.setQueryData(keys.board("p1"), []);
    last().say({ type: "hello", seq: 20, node: "n" });
    expect(since(last())).toBeNull();
    last().say({ type: "hello", seq: 20, node: "n" });
    expect(client.getQueryState(keys.board("p1"))?.isInvalidated).toBe(true);
  });

  it("stops for good when the session has ended", () => {
    last().say({ type: "hello", seq: 1, node: "n" });
    last().drop(4401);
    expect(signedOut).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(60_000);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("fetches anew what was fetched before the greeting, though nobody waited for that", async () => {
    client.setQueryData(keys.board("p1"), []);
    last().say({ type: "hello", seq: 3, node: "n" });
    expect(client.getQueryState(keys.board("p1"))?.isInvalidated).toBe(true);
  });

  it("fetches nothing twice where the greeting was awaited, and holds the page up once", async () => {
    const settled = vi.fn();
    void live.greeting(1_000).then(settled);
    void live.greeting(1_000).then(settled);
    await vi.advanceTimersByTimeAsync(500);
    expect(settled).not.toHaveBeenCalled();
    last().say({ type: "hello", seq: 3, node: "n" });
    await vi.advanceTimersByTimeAsync(0);
    expect(settled).toHaveBeenCalledTimes(2);
    client.setQueryData(keys.board("p1"), []);
    last().drop();
    vi.advanceTimersByTime(500);
    last().say({ type: "hello", seq: 3, node: "n" });
    expect(client.getQueryState(keys.board("p1"))?.isInvalidated).toBe(false);
  });

  it("goes on at once where the greeting was waited for in vain before", async () => {
    void live.greeting(1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    const settled = vi.fn();
    void live.greeting(1_000).then(settled);
    await vi.advanceTimersByTimeAsync(0);
    expect(settled).toHaveBeenCalledOnce();
  });

  it("fetches what failed while the server was away, and no refusal", async () => {
    void live.greeting();
    last().say({ type: "hello", seq: 3, node: "n" });
    const asked = (key: string, status: number) => {
      const queryFn = vi.fn().mockRejectedValueOnce(new ApiError({ status, code: "x", detail: "" }));
      queryFn.mockResolvedValue("there");
      const stop = new QueryObserver(client, { queryKey: [key], queryFn, retry: false }).subscribe(() => {});
      return { queryFn, stop };
    };
    const [lost, refused, left] = [asked("lost", 0), asked("refused", 404), asked("left", 502)];
    await vi.advanceTimersByTimeAsync(0);
    left.stop();
    last().drop();
    await vi.advanceTimersByTimeAsync(500);
    last().say({ type: "hello", seq: 3, node: "n" });
    await vi.advanceTimersByTimeAsync(0);
    expect(client.getQueryData(["lost"])).toBe("there");
    expect(refused.queryFn).toHaveBeenCalledOnce();
    // Nobody looks at it.
    expect(left.queryFn).toHaveBeenCalledOnce();
    lost.stop();
    refused.stop();
  });

  it("lets the page go on when the greeting is late, and then fetches anew", async () => {
    const greeting = live.greeting(1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    await greeting;
    client.setQueryData(keys.board("p1"), []);
    last().say({ type: "hello", seq: 3, node: "n" });
    expect(client.getQueryState(keys.board("p1"))?.isInvalidated).toBe(true);
  });
});
