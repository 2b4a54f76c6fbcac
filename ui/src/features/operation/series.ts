import type { AlertLevel, SamplesRange, SamplesView, Thresholds } from "@/api/types";

export const RANGES = ["hour", "day", "week", "month", "year"] as const satisfies readonly SamplesRange[];

/** In what a measure is told. */
export type Unit = "bytes" | "count" | "share" | "millis" | "micros";

type NodePoint = SamplesView["nodes"][number]["points"][number];
type MemberPoint = SamplesView["members"][number]["points"][number];

/** A value over a point's time: its mean, and the most that it was where that is another figure. */
interface Value {
  mean: number;
  max: number;
}
const level = (value: { mean: number; max: number } | null | undefined): Value | null => value ?? null;
const sum = (value: number): Value => ({ mean: value, max: value });

/** What is shown of servers. */
export const OF_NODES = {
  memory: { unit: "bytes", of: (point: NodePoint) => level(point.memory) },
  disk: { unit: "bytes", of: (point: NodePoint) => level(point.disk) },
  load: { unit: "share", of: (point: NodePoint) => level(point.load) },
  agents: { unit: "count", of: (point: NodePoint) => level(point.activeRuns) },
  worktrees: { unit: "count", of: (point: NodePoint) => level(point.worktrees) },
  queue: { unit: "count", of: (point: NodePoint) => level(point.queueDepth) },
  database: { unit: "millis", of: (point: NodePoint) => level(point.databaseMillis) },
  process: { unit: "bytes", of: (point: NodePoint) => level(point.processMemory) },
} as const satisfies Record<string, { unit: Unit; of: (point: NodePoint) => Value | null }>;

/** What is shown of members. */
export const OF_MEMBERS = {
  memory: { unit: "bytes", of: (point: MemberPoint) => level(point.memory) },
  processors: {
    unit: "share",
    // Milliseconds of all processors, in the point's time.
    of: (point: MemberPoint, seconds: number) => sum(point.processorMillis / 1_000 / seconds),
  },
  processes: { unit: "count", of: (point: MemberPoint) => level(point.processes) },
  disk: { unit: "bytes", of: (point: MemberPoint) => level(point.disk) },
  worktrees: { unit: "count", of: (point: MemberPoint) => level(point.worktrees) },
  agents: { unit: "count", of: (point: MemberPoint) => level(point.agents) },
  tokens: { unit: "count", of: (point: MemberPoint) => sum(point.tokens) },
  cost: { unit: "micros", of: (point: MemberPoint) => sum(point.costMicros) },
} as const satisfies Record<
  string,
  { unit: Unit; of: (point: MemberPoint, seconds: number) => Value | null }
>;

export type NodeMeasure = keyof typeof OF_NODES;
export type MemberMeasure = keyof typeof OF_MEMBERS;

/** One line of a plot. */
export interface Series {
  key: string;
  name: string;
  /** A value for each time; null where nothing is known. */
  values: (number | null)[];
  highest: number;
}

export interface Plot {
  unit: Unit;
  /** When each point begins. */
  times: string[];
  series: Series[];
  /** Whether the lines add up to something. */
  adds: boolean;
}

/** Lines that are told apart; the rest is one. */
export const LINES = 8;
export const OTHERS = "others";

function timesOf(view: SamplesView): string[] {
  const [from, to, step] = [Date.parse(view.from), Date.parse(view.to), view.stepSeconds * 1_000];
  const count = step > 0 ? Math.min(1_000, Math.floor((to - from) / step) + 1) : 0;
  return Array.from({ length: Math.max(0, count) }, (_, n) => new Date(from + n * step).toISOString());
}

/** Puts the points of one line where their times are. */
function along<P extends { at: string }>(
  view: SamplesView,
  times: string[],
  points: P[],
  of: (point: P) => Value | null,
  absent: number | null,
): Pick<Series, "values" | "highest"> {
  const values = times.map(() => absent);
  let highest = 0;
  for (const point of points) {
    const n = Math.round((Date.parse(point.at) - Date.parse(view.from)) / (view.stepSeconds * 1_000));
    const value = of(point);
    if (n < 0 || n >= values.length || value === null) continue;
    values[n] = value.mean;
    highest = Math.max(highest, value.max);
  }
  return { values, highest };
}

/** The servers' lines: where a server did not run, there is none. */
export function nodePlot(view: SamplesView, measure: NodeMeasure): Plot {
  const times = timesOf(view);
  const { unit, of } = OF_NODES[measure];
  const series = view.nodes.map((node) => ({
    key: node.id,
    name: node.name,
    ...along(view, times, node.points, of, null),
  }));
  return {
    unit,
    times,
    adds: false,
    series: series.filter((line) => line.values.some((value) => value !== null)),
  };
}

/** From which value on somebody is told. */
export interface Mark {
  level: AlertLevel;
  value: number;
}

/** The marks of a measure of servers, where they are the same for all of them. */
export function marksOf(view: SamplesView, measure: NodeMeasure, thresholds: Thresholds | undefined): Mark[] {
  if (thresholds === undefined) return [];
  const at = ({ warning, critical }: { warning: number; critical: number }, unit: number): Mark[] => [
    { level: "warning", value: warning * unit },
    { level: "critical", value: critical * unit },
  ];
  // Of memory and disk the thresholds are in percent, and the lines in bytes.
  const total = (of: "memoryTotal" | "diskTotal") => {
    const all = new Set(view.nodes.map((node) => node.points.findLast((point) => point[of] !== null)?.[of]));
    const [only] = all;
    return all.size === 1 && typeof only === "number" ? only : undefined;
  };
  if (measure === "database") return at(thresholds.databaseMillis, 1);
  if (measure !== "memory" && measure !== "disk") return [];
  const whole = total(measure === "memory" ? "memoryTotal" : "diskTotal");
  return whole === undefined ? [] : at(thresholds[measure], whole / 100);
}

/** The marks that a plot comes near: the others would make its lines flat. */
export const marksNear = (plot: Plot, marks: readonly Mark[]): Mark[] =>
  marks.filter(({ value }) => plot.series.some((line) => line.highest >= value / 2));

/** The members' lines, those with most first; where a member used nothing, it is nothing. */
export function memberPlot(view: SamplesView, measure: MemberMeasure, others: string): Plot {
  const times = timesOf(view);
  const { unit, of } = OF_MEMBERS[measure];
  const all = view.members
    .map((member) => ({
      key: member.memberId,
      name: member.name,
      ...along(view, times, member.points, (point) => of(point, view.stepSeconds), 0),
    }))
    .filter((line) => line.highest > 0)
    .map((line) => ({ line, whole: line.values.reduce<number>((sum, value) => sum + (value ?? 0), 0) }))
    .sort((a, b) => b.whole - a.whole)
    .map(({ line }) => line);
  if (all.length <= LINES) return { unit, times, series: all, adds: true };
  const told = all.slice(0, LINES - 1);
  const rest = all.slice(LINES - 1);
  const values = times.map((_, n) => rest.reduce((sum, line) => sum + (line.values[n] ?? 0), 0));
  const others_ = { key: OTHERS, name: others, values, highest: Math.max(...values) };
  return { unit, times, series: [...told, others_], adds: true };
}
