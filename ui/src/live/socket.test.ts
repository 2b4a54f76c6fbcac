import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { FeatureCard } from "@/api/types";
import { card, feature } from "@/test/samples";
import { forgetRecent } from "./recent";
import { LiveSocket } from "./socket";

const at = "2026-03-10T12:00:00Z";

let client: QueryClient;
beforeEach(() => {
  client = new QueryClient();
});
afterEach(() => {
  forgetRecent();
  vi.useRealTimers();
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
