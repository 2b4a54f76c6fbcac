import type { Outcome, ReportCause } from "@/api/types";

/** What morning reports say. */
export const reports = {
  title: "Morning reports",
  lead: "What auto mode did while you were away, one report for each night.",
  one: "Morning report",
  earlier: "Earlier reports",
  none: "No report yet",
  noneHelp:
    "After auto mode has worked for you, what it did stands here: when its window closes, when it comes to rest, or in the morning.",
  show: "Show the report",
  hide: "Hide",
  unread: "New",
  more: "Older reports",
  cause: {
    "window-closed": "the window closed",
    rest: "auto mode came to rest",
    paused: "auto mode is paused",
    stopped: "auto mode was stopped",
    morning: "it was morning",
  } satisfies Record<ReportCause, string>,
  span: (from: string, until: string) => `${from} to ${until}`,
  outcome: {
    merged: "Merged",
    verified: "Verified",
    "waits-for-approval": "Waits for you",
    "waits-for-plan": "Plan waits for you",
    failed: "Failed",
    stopped: "Stopped",
    "under-way": "Under way",
    "waits-for-provider": "Waits for its provider",
    "waits-for-budget": "Waits for its budget",
    "waits-for-dependencies": "Cannot begin yet",
    "waits-for-server": "Waits for the server",
    rests: "Rests",
  } satisfies Record<Outcome, string>,
  changedNothing: "Changed nothing",
  built: (n: number) => (n === 1 ? "card built" : "cards built"),
  merged: (n: number) => `${n} merged`,
  waiting: (n: number) => (n === 1 ? "needs you" : "need you"),
  failed: (n: number) => `${n} failed`,
  underWay: "under way",
  notBegun: "did not begin",
  /** Above the cards of a project that wait for the same. */
  didNotBegin: (n: number, project: string) =>
    `${n === 1 ? "1 card" : `${n} cards`} of ${project} did not begin`,
  andMore: (n: number) => `and ${n} more`,
  worked: "at work",
  cost: "cost",
  tokens: (n: string) => `${n} tokens`,
  waits: {
    provider: (time: string) => `Providers let it wait for ${time}.`,
    rest: (time: string) => `It rested for ${time}.`,
  },
  compared: (project: string, expected: string, done: number, cost: string, expectedCost: string) =>
    `${project}: ${expected} expected for ${expectedCost}; ${done} done for ${cost}.`,
  expected: (median: number, low: number, high: number) =>
    `${median === 1 ? "1 card" : `${median} cards`}${low === high ? "" : ` (${low} to ${high})`}`,
  until: (at: string) => `until ${at}`,
  others: (n: number) => (n === 1 ? "1 more card" : `${n} more cards`),
  settings: {
    title: "Morning report",
    lead: "What auto mode did while you were away stands at the top of your inbox when its window closes or it comes to rest.",
    morning: "In the morning at",
    morningHelp: "For nights whose window is still open then, in your time zone.",
    mail: "By mail as well",
    mailHelp: "To the address of your account.",
    mailOff: "This server sends no mail.",
    saved: "Morning report changed",
  },
};
