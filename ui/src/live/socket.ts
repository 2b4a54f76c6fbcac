import { notifyManager, type QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { isPassing } from "@/api/error";
import type { Event, SocketFrame } from "@/api/types";
import { applyEvents } from "./apply";
import { tellKnowledge } from "./knowledge";
import { addOutput, clearOutput, flushOutput } from "./output";
import { forgetRecent } from "./recent";

/** How the page stands with the server. `connecting` is the first time; `offline` is after a connection was lost. */
export type LiveState = "connecting" | "live" | "offline";

/** Frames are applied together, so that twenty runs at once cost one rendering. */
const BATCH_MS = 32;
const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 15_000;
/** A short break shows nothing: a reconnect is invisible. */
const QUIET_MS = 2_500;
const SESSION_ENDED = 4401;

export interface LiveOptions {
  client: QueryClient;
  onSignedOut: () => void;
  /** Asks the server for something small after a lost connection: an ended session shows there, not in a refused upgrade. */
  probe?: () => void;
  /** For tests. */
  open?: (url: string) => WebSocket;
  random?: () => number;
}

/** The one connection to `/api/events`, from sign-in to sign-out. */
export class LiveSocket {
  private socket: WebSocket | null = null;
  private seq: number | null = null;
  private tries = 0;
  private stopped = false;
  private frames: SocketFrame[] = [];
  private batchTimer: ReturnType<typeof setTimeout> | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private quietTimer: ReturnType<typeof setTimeout> | undefined;
  private listeners = new Set<() => void>();
  private greeted: (() => void) | undefined;
  private waited: Promise<void> | undefined;
  /** Whether something may have been fetched before the greeting, and so could lack what happened in between. */
  private late = true;
  private now: LiveState = "connecting";

  constructor(private readonly options: LiveOptions) {}

  get state(): LiveState {
    return this.now;
  }

  /** The number of the last event that was applied. */
  get lastSeq(): number | null {
    return this.seq;
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  start() {
    this.stopped = false;
    globalThis.addEventListener?.("online", this.retryNow);
    globalThis.addEventListener?.("offline", this.lost);
    globalThis.document?.addEventListener("visibilitychange", this.onVisible);
    this.connect();
  }

  /**
   * Settles once the server has said where its events stand: what is fetched from then on misses nothing. Does not hold
   * the page up for long; what was fetched before a late greeting is fetched again.
   */
  greeting(patienceMs = 1_000): Promise<void> {
    if (this.seq !== null) return Promise.resolve();
    // One patience for all who wait: where no greeting comes, the page is held up once.
    this.waited ??= new Promise((resolve) => {
      this.late = false;
      const timer = setTimeout(() => {
        this.late = true;
        resolve();
      }, patienceMs);
      this.greeted = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return this.waited;
  }

  stop() {
    this.stopped = true;
    this.greeted?.();
    globalThis.removeEventListener?.("online", this.retryNow);
    globalThis.removeEventListener?.("offline", this.lost);
    globalThis.document?.removeEventListener("visibilitychange", this.onVisible);
    clearTimeout(this.batchTimer);
    clearTimeout(this.retryTimer);
    clearTimeout(this.quietTimer);
    this.batchTimer = undefined;
    this.frames = [];
    const { socket } = this;
    this.socket = null;
    socket?.close();
    clearOutput();
    forgetRecent();
  }

  /** Says something to the server, if it is there to hear it. */
  say(what: object) {
    if (this.now === "live" && this.socket?.readyState === WebSocket.OPEN)
      this.socket.send(JSON.stringify(what));
  }

  /** Does not wait for the next try. */
  retryNow = () => {
    if (this.stopped || this.socket !== null) return;
    clearTimeout(this.retryTimer);
    this.tries = 0;
    this.connect();
  };

  /** The network is gone: the connection would only notice much later. */
  private lost = () => {
    const { socket } = this;
    if (socket === null) return;
    this.socket = null;
    this.flush();
    socket.close();
    this.later();
  };

  private onVisible = () => {
    if (document.visibilityState === "visible") this.retryNow();
  };

  private connect() {
    const base = globalThis.location ? location.origin.replace(/^http/, "ws") : "ws://localhost";
    const since = this.seq === null ? "" : `?since=${this.seq}`;
    const address = `${base}/api/events${since}`;
    const socket = this.options.open?.(address) ?? new WebSocket(address);
    this.socket = socket;
    socket.onmessage = (message) => {
      if (this.socket === socket && typeof message.data === "string") this.receive(message.data);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.flush();
      if (event.code === SESSION_ENDED) {
        this.stop();
        this.options.onSignedOut();
        return;
      }
      this.later();
    };
  }

  private later() {
    if (this.stopped) return;
    if (this.now === "live") {
      this.quietTimer ??= setTimeout(() => this.turn("offline"), QUIET_MS);
    } else if (this.now === "connecting" && this.tries >= 2) this.turn("offline");
    const spread = 0.5 + (this.options.random ?? Math.random)() / 2;
    const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.tries) * spread;
    this.tries += 1;
    if (this.tries === 2) this.options.probe?.();
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => this.connect(), wait);
  }

  private turn(state: LiveState) {
    clearTimeout(this.quietTimer);
    this.quietTimer = undefined;
    if (this.now === state) return;
    this.now = state;
    for (const listener of this.listeners) listener();
  }

  private receive(text: string) {
    const frame = JSON.parse(text) as SocketFrame;
    if (frame.type === "hello") {
      this.tries = 0;
      this.turn("live");
      if (this.seq !== null && frame.seq < this.seq) {
        // The server was set back (restored from a backup): its numbers are lower than ours.
        this.startOver();
        return;
      }
      this.seq ??= frame.seq;
      const { client } = this.options;
      if (this.late) void client.invalidateQueries();
      // What could not be fetched while the server was away can be now.
      else
        void client.refetchQueries({
          type: "active",
          predicate: ({ state }) => state.status === "error" && isPassing(state.error),
        });
      this.late = false;
      this.greeted?.();
      return;
    }
    this.frames.push(frame);
    if (frame.type === "resync") {
      this.flush();
      return;
    }
    this.batchTimer ??= setTimeout(() => this.flush(), BATCH_MS);
  }

  private flush() {
    clearTimeout(this.batchTimer);
    this.batchTimer = undefined;
    const frames = this.frames;
    this.frames = [];
    let resync = false;
    notifyManager.batch(() => {
      let events: Event[] = [];
      const apply = () => {
        if (events.length > 0) applyEvents(this.options.client, events);
        events = [];
      };
      for (const frame of frames) {
        if (frame.type === "resync") resync = true;
        else if (frame.type === "run.output") {
          // Order matters between a stored event and the words that it replaces.
          apply();
          addOutput(frame);
        } else if (frame.type === "knowledge.editing") {
          // Not stored, and without a number.
          tellKnowledge(frame);
        } else if (frame.type !== "hello") {
          if (this.seq !== null && frame.seq <= this.seq) continue;
          this.seq = frame.seq;
          events.push(frame);
        }
      }
      apply();
    });
    flushOutput();
    if (resync) this.startOver();
  }

  /** Forgets where we were; everything that is shown is fetched once more as soon as the server says where it is now. */
  private startOver() {
    this.seq = null;
    this.late = true;
    this.waited ??= Promise.resolve();
    clearOutput();
    forgetRecent();
    const { socket } = this;
    this.socket = null;
    socket?.close();
    this.tries = 0;
    this.connect();
  }
}

let current: LiveSocket | null = null;
/** Who shows how the page stands: for longer than one connection lasts. */
const watchers = new Set<() => void>();
const tellWatchers = () => {
  for (const watcher of [...watchers]) watcher();
};

/** Starts the page's connection; called once a member is signed in. */
export function startLive(options: LiveOptions): LiveSocket {
  if (current === null) {
    current = new LiveSocket(options);
    current.subscribe(tellWatchers);
    current.start();
  }
  return current;
}

export function stopLive() {
  current?.stop();
  current = null;
  tellWatchers();
}

/** How the page stands with the server just now. */
export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (listener) => {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
    () => current?.state ?? "connecting",
  );
}

/** Whether the connection is lost, and the page says so. */
export const isOffline = () => current?.state === "offline";

/** Says something to the server that nothing depends on. */
export function saySomething(what: object) {
  current?.say(what);
}

/** Tries to reach the server at once. */
export function reconnectNow() {
  current?.retryNow();
}
