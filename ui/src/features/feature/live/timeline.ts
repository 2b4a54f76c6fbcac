import type {
  Attachment,
  Check,
  KeySource,
  Problem,
  RunEvent,
  RunHistoryEvent,
  RunStatus,
  StepStatus,
  StopReason,
  Task,
  Usage,
} from "@/api/types";

/** How a tool call stands. `interrupted`: the work ended while it ran. */
export type CallState = "running" | "done" | "failed" | "interrupted";

export interface ToolItem {
  kind: "tool";
  call: string;
  tool: string;
  input: unknown;
  state: CallState;
  output: string | null;
  durationMs: number | null;
  /** What it returned beside words. */
  images?: readonly Attachment[];
}

/** What one line of the timeline tells. */
export type Told =
  | {
      kind: "said";
      memberId: string | null;
      text: string;
      opening: boolean;
      files?: readonly Attachment[];
    }
  | { kind: "words"; text: string }
  | { kind: "thinking"; text: string }
  | ToolItem
  | { kind: "check"; check: Check }
  | { kind: "plan"; tasks: Task[] }
  | { kind: "compacted"; beforeTokens: number; summary: string }
  | { kind: "waiting"; reason: string; until: string; over: boolean }
  | { kind: "started"; attempt: number; model: string; keySource: KeySource; resumed: boolean }
  | { kind: "ended"; status: RunStatus; problem: Problem | null }
  | {
      kind: "plan_decided";
      version: number;
      memberId: string;
      approved: boolean;
      changed: boolean;
      feedback: string | null;
    }
  | { kind: "step_started"; step: number; name: string; look: number; model: string; resumed: boolean }
  | { kind: "step_ended"; step: number; name: string; status: StepStatus; word: string | null }
  | { kind: "plan_adopted"; version: number }
  | { kind: "note"; text: string };

export type Item = Told & {
  key: string;
  at: string;
  /** The turn that it belongs to, if it belongs to one. */
  turn: number | null;
  /** It is the first of its turn. */
  first: boolean;
};

/** What a turn took. */
export interface TurnFacts {
  stopReason: StopReason;
  usage: Usage;
  costMicros: number;
  snapshot: string | null;
}

export interface Timeline {
  items: Item[];
  turns: ReadonlyMap<number, TurnFacts>;
}

/** Makes a timeline of a run's history. */
export function timelineOf(events: readonly RunHistoryEvent[]): Timeline {
  const builder = new Builder();
  for (const event of events) builder.add(event);
  return { items: builder.items, turns: builder.turns };
}

class Builder {
  readonly items: Item[] = [];
  readonly turns = new Map<number, TurnFacts>();
  private calls = new Map<string, number>();
  private checks = new Map<string, number>();
  private waiting: number | null = null;
  private turn = 0;
  private said = false;

  add({ seq, at, event }: RunHistoryEvent) {
    const key = String(seq);
    // Whatever else happens ends a wait.
    if (event.kind !== "waiting" && event.kind !== "said") this.endWait();
    switch (event.kind) {
      case "said":
        this.put(key, at, null, { ...event, kind: "said", opening: !this.said });
        this.said = true;
        break;
      case "text":
        this.put(key, at, event.turn, { kind: "words", text: event.text });
        break;
      case "thinking":
        if (event.text.trim() !== "") this.put(key, at, event.turn, { kind: "thinking", text: event.text });
        break;
      case "tool_started":
        this.calls.set(event.call, this.items.length);
        this.put(key, at, event.turn, {
          kind: "tool",
          call: event.call,
          tool: event.tool,
          input: event.input,
          state: "running",
          output: null,
          durationMs: null,
        });
        break;
      case "tool_finished":
        this.finish(key, at, event);
        break;
      case "turn_saved":
        this.turns.set(event.turn, event);
        break;
      case "plan":
        this.plan(key, at, event.tasks);
        break;
      case "check":
        this.check(key, at, event.check);
        break;
      case "waiting":
        this.wait(key, at, event);
        break;
      case "started":
      case "ended":
        this.interrupt();
        this.put(key, at, null, event);
        break;
      case "compacted":
      case "step_started":
      case "step_ended":
      case "plan_adopted":
      case "plan_decided":
      case "note":
        this.put(key, at, null, event);
        break;
      default:
        // A kind that a newer server knows: nothing to show.
        break;
    }
  }

  private put(key: string, at: string, turn: number | null, told: Told) {
    const first = turn !== null && turn !== this.turn;
    if (turn !== null) this.turn = turn;
    this.items.push({ ...told, key, at, turn, first });
  }

  private finish(key: string, at: string, event: Extract<RunEvent, { kind: "tool_finished" }>) {
    const result = {
      state: event.isError ? ("failed" as const) : ("done" as const),
      output: event.output,
      durationMs: event.durationMs,
      ...(event.images === undefined ? {} : { images: event.images }),
    };
    const place = this.calls.get(event.call);
    const before = place === undefined ? undefined : this.items[place];
    if (place !== undefined && before?.kind === "tool") this.items[place] = { ...before, ...result };
    else
      this.put(key, at, event.turn, {
        kind: "tool",
        call: event.call,
        tool: event.tool,
        input: null,
        ...result,
      });
  }

  /** The plan tool shows its own tasks; only a plan that came otherwise is told by itself. */
  private plan(key: string, at: string, tasks: Task[]) {
    for (let i = this.items.length - 1; i >= 0; i -= 1) {
      const item = this.items[i];
      if (item?.kind !== "tool") break;
      if (item.tool === "plan" || item.tool === "update_tasks") return;
    }
    this.put(key, at, null, { kind: "plan", tasks });
  }

  private check(key: string, at: string, check: Check) {
    const place = this.checks.get(check.id);
    const before = place === undefined ? undefined : this.items[place];
    if (place !== undefined && before?.kind === "check") {
      this.items[place] = { ...before, check };
    } else {
      this.checks.set(check.id, this.items.length);
      this.put(key, at, null, { kind: "check", check });
    }
  }

  /** A wait that follows on another one prolongs it. */
  private wait(key: string, at: string, event: Extract<RunEvent, { kind: "waiting" }>) {
    const place = this.items.length - 1;
    const last = this.items[place];
    if (last?.kind === "waiting") {
      this.items[place] = { ...last, ...event, over: false };
      this.waiting = place;
      return;
    }
    this.endWait();
    this.waiting = this.items.length;
    this.put(key, at, null, { ...event, over: false });
  }

  private endWait() {
    const item = this.waiting === null ? undefined : this.items[this.waiting];
    if (this.waiting !== null && item?.kind === "waiting") this.items[this.waiting] = { ...item, over: true };
    this.waiting = null;
  }

  /** Calls that have no answer when the work ends, or begins anew; a resumed run may still say what became of one. */
  private interrupt() {
    for (const place of this.calls.values()) {
      const item = this.items[place];
      if (item?.kind === "tool" && item.state === "running") {
        this.items[place] = { ...item, state: "interrupted" };
      }
    }
  }
}

/** Whether two items look the same, so that a row need not be drawn again. */
export function sameItem(a: Item, b: Item): boolean {
  if (a === b) return true;
  const x = a as unknown as Record<string, unknown>;
  const y = b as unknown as Record<string, unknown>;
  for (const name in x) if (x[name] !== y[name]) return false;
  return true;
}

/** Whether an item tells of something that went wrong. */
export function isFailure(item: Item): boolean {
  switch (item.kind) {
    case "tool":
      return item.state === "failed";
    case "check":
      return item.check.status === "failed";
    case "ended":
      return item.status === "failed";
    case "step_ended":
      return item.status === "failed";
    default:
      return false;
  }
}
