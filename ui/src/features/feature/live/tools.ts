import type { Task } from "@/api/types";
import { compare } from "../lib/sequence";
import type { ToolItem } from "./timeline";

/** A tool call in a few words: `Read README.md`, `Edited src/a.rs +3 −1`, `Ran ./test.sh`. */
export interface Saying {
  icon: "read" | "write" | "edit" | "find" | "search" | "run" | "plan" | "know" | "other";
  /** What it did, or does. */
  verb: string;
  /** What it did it to, in the type of code. */
  target: string;
  /** A word more. */
  more?: string;
  stat?: { added: number; removed: number };
}

type Bag = Record<string, unknown>;

function bag(input: unknown): Bag {
  return input !== null && typeof input === "object" ? (input as Bag) : {};
}

/** The first of several names under which an argument may have come. */
function text(input: unknown, ...names: string[]): string {
  for (const name of names) {
    const value = bag(input)[name];
    if (typeof value === "string") return value;
  }
  return "";
}

export const args = {
  path: (input: unknown) => text(input, "path", "file_path"),
  content: (input: unknown) => text(input, "content"),
  text: (input: unknown) => text(input, "text"),
  changes: (input: unknown) => text(input, "changes"),
  before: (input: unknown) => text(input, "oldText", "old_text", "old_string"),
  after: (input: unknown) => text(input, "newText", "new_text", "new_string"),
  command: (input: unknown) => text(input, "command"),
  pattern: (input: unknown) => text(input, "pattern"),
  glob: (input: unknown) => text(input, "glob"),
  number: (input: unknown, name: string) => {
    const value = bag(input)[name];
    return typeof value === "number" ? value : null;
  },
  tasks: (input: unknown): Task[] => {
    const { tasks } = bag(input);
    if (!Array.isArray(tasks)) return [];
    return tasks.flatMap((task: unknown): Task[] => {
      const title = text(task, "title");
      const status = text(task, "status");
      if (title === "") return [];
      const phase = text(task, "phase");
      const far = status === "completed" || status === "in_progress" ? status : "pending";
      return [phase === "" ? { title, status: far } : { title, phase, status: far }];
    });
  },
};

export function linesOf(value: string): string[] {
  if (value === "") return [];
  const lines = value.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** How many lines an edit adds and takes away. */
export function editStat(before: string, after: string) {
  const steps = compare(linesOf(before), linesOf(after));
  return {
    added: steps.filter((step) => step.kind === "add").length,
    removed: steps.filter((step) => step.kind === "delete").length,
  };
}

/** Says what a call does while it runs, and what it did afterwards. */
export function sayingOf({ tool, input, state }: Pick<ToolItem, "tool" | "input" | "state">): Saying {
  const running = state === "running";
  const say = (now: string, then: string) => (running ? now : then);
  switch (tool) {
    case "read": {
      const offset = args.number(input, "offset");
      const limit = args.number(input, "limit");
      const more =
        offset === null
          ? undefined
          : limit === null
            ? `from line ${offset}`
            : `lines ${offset}–${offset + limit - 1}`;
      return {
        icon: "read",
        verb: say("Reading", "Read"),
        target: args.path(input),
        ...(more === undefined ? {} : { more }),
      };
    }
    case "write":
      return {
        icon: "write",
        verb: say("Writing", "Wrote"),
        target: args.path(input),
        stat: { added: linesOf(args.content(input)).length, removed: 0 },
      };
    case "edit":
      return {
        icon: "edit",
        verb: say("Editing", "Edited"),
        target: args.path(input),
        stat: editStat(args.before(input), args.after(input)),
      };
    case "bash":
      return { icon: "run", verb: say("Running", "Ran"), target: oneLine(args.command(input)) };
    case "glob":
      return {
        icon: "find",
        verb: say("Finding", "Found files"),
        target: args.pattern(input),
        ...within(args.path(input)),
      };
    case "grep":
      return {
        icon: "search",
        verb: say("Searching for", "Searched for"),
        target: args.pattern(input),
        ...within(args.path(input) || args.glob(input)),
      };
    case "propose_plan": {
      const tasks = args.tasks(input);
      return {
        icon: "plan",
        verb: say("Proposing a plan", "Proposed a plan"),
        target: "",
        ...(tasks.length === 0 ? {} : { more: `${tasks.length} tasks` }),
      };
    }
    case "plan": {
      const tasks = args.tasks(input);
      const done = tasks.filter((task) => task.status === "completed").length;
      return {
        icon: "plan",
        verb: say("Planning", done === 0 ? "Made a plan" : "Updated the plan"),
        target: "",
        ...(tasks.length === 0 ? {} : { more: `${done} of ${tasks.length} done` }),
      };
    }
    case "update_tasks": {
      const { tasks } = bag(input);
      const numbers = Array.isArray(tasks) ? tasks.map((task: unknown) => args.number(task, "number")) : [];
      const which = numbers.filter((number) => number !== null).join(", ");
      return { icon: "plan", verb: say("Ticking off tasks", "Updated tasks"), target: "", more: which };
    }
    case "service_start":
      return {
        icon: "run",
        verb: say("Starting a service", "Started a service"),
        target: oneLine(args.command(input)),
        more: text(input, "name"),
      };
    case "service_list":
      return { icon: "find", verb: say("Listing services", "Listed services"), target: "" };
    case "service_logs":
      return {
        icon: "read",
        verb: say("Reading the log of", "Read the log of"),
        target: text(input, "name"),
      };
    case "service_stop":
      return { icon: "run", verb: say("Stopping", "Stopped"), target: text(input, "name") };
    case "knowledge_search":
      return {
        icon: "know",
        verb: say("Asking the hub for", "Asked the hub for"),
        target: text(input, "query"),
      };
    case "knowledge_read":
      return { icon: "know", verb: say("Reading in the hub", "Read in the hub"), target: "" };
    case "learning_record":
      return {
        icon: "know",
        verb: say("Recording", "Recorded"),
        target: text(input, "title"),
      };
    case "learning_outcome":
      return {
        icon: "know",
        verb:
          bag(input).helped === true ? "Said that a learning helped" : "Said that a learning did not help",
        target: "",
      };
    case "request_changes":
      return { icon: "other", verb: say("Asking for changes", "Asked for changes"), target: "" };
    default:
      return { icon: "other", verb: say("Calling", "Called"), target: tool };
  }
}

function within(place: string): { more?: string } {
  return place === "" ? {} : { more: `in ${place}` };
}

function oneLine(command: string): string {
  const lines = command.split("\n").filter((line) => line.trim() !== "");
  return lines.length > 1 ? `${lines[0]} …` : (lines[0] ?? "");
}

/** What came of a command, cut off from the end of its output where the tool wrote it. */
export interface CommandEnd {
  output: string;
  exitCode: number | null;
  /** In words, when it is not an exit code. */
  how: string | null;
}

export function commandEnd(output: string): CommandEnd {
  const none = /^\(no output, (.+)\)$/s.exec(output);
  if (none) return { output: "", ...ending(none[1] ?? "") };
  const end = /(?:^|\n)\((exit code -?\d+|ended by signal \d+|timed out after [^\n]+)\)$/.exec(output);
  if (!end) return { output, exitCode: null, how: null };
  return { output: output.slice(0, end.index), ...ending(end[1] ?? "") };
}

function ending(words: string): { exitCode: number | null; how: string | null } {
  const code = /^exit code (-?\d+)$/.exec(words);
  if (code) return { exitCode: Number(code[1]), how: null };
  const timeout = /^(timed out after [\d.]+ s)/.exec(words);
  return { exitCode: null, how: timeout?.[1] ?? words };
}

/** A file as the read tool shows it: each line behind its number and a tab; what else it says comes apart. */
export function numberedLines(output: string): { first: number; lines: string[]; notes: string[] } {
  const lines: string[] = [];
  const notes: string[] = [];
  let first = 1;
  for (const line of linesOf(output)) {
    const match = /^ *(\d+)\t(.*)$/.exec(line);
    if (match) {
      if (lines.length === 0) first = Number(match[1]);
      lines.push(match[2] ?? "");
    } else if (line.trim() !== "") notes.push(line);
  }
  return { first, lines, notes };
}
