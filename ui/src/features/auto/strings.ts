import type { AtClose, Day } from "@/api/types";

/** What auto mode says. */
export const auto = {
  title: "Auto mode",
  lead: "Works through your cards in this project's backlog by itself: those whose dependencies are done, the most urgent and oldest first. It stays on for new ones.",
  on: "On",
  off: "Off",
  paused: "Paused",
  running: (n: number) => `${n} at work`,
  backlog: (n: number) => (n === 1 ? "1 card of yours in the backlog" : `${n} cards of yours in the backlog`),
  atOnce: "At once, at most",
  atOnceHelp: (limit: number) => `The limit for each member is ${limit}.`,
  window: "Only at certain hours",
  windowHelp: "Nothing starts outside of them.",
  days: "Opens on",
  from: "From",
  until: "Until",
  overMidnight: "A window that ends before it begins goes on into the next day.",
  zone: "Time zone",
  atClose: "When the hours are over",
  closing: {
    finishTurn: {
      label: "Finish the turn, then rest",
      help: "Nothing is lost; the work goes on by itself when the hours begin again.",
    },
    finishFeature: { label: "Finish the card", help: "Nothing new is begun." },
  } satisfies Record<AtClose, { label: string; help: string }>,
  day: {
    mon: "Mon",
    tue: "Tue",
    wed: "Wed",
    thu: "Thu",
    fri: "Fri",
    sat: "Sat",
    sun: "Sun",
  } satisfies Record<Day, string>,
  start: "Start auto mode",
  resume: "Resume",
  save: "Save changes",
  stop: "Stop",
  started: "Auto mode is on",
  saved: "Auto mode changed",
  stopped: "Auto mode is off. What is at work is finished.",
  nextChange: (open: boolean, at: string) => (open ? `Open until ${at}` : `Opens ${at}`),
  pausedTitle: "Auto mode is paused",
  failures: "The last failures",
  forecast: {
    title: "What to expect",
    pending: "Playing the night through…",
    none: (cards: number) =>
      `No past runs yet, so nothing can be said of ${cards === 1 ? "the one card" : `the ${cards} cards`}. After the first few, there is a forecast here.`,
    noCards: "There is no card of yours to take. Whatever you write is taken as it comes.",
    done: (median: number, of: number, by: string) =>
      `Probably ${median} of ${of === 1 ? "1 card" : `${of} cards`} done by ${by}`,
    range: (low: string, high: string) => (low === high ? "" : ` (${low} to ${high})`),
    last: (at: string) => `The last one at about ${at}`,
    cost: (median: string) => `About ${median}`,
    failed: (n: number) => (n === 1 ? "1 probably fails" : `${n} probably fail`),
    basis: (runs: number, ofProject: boolean) =>
      `From ${runs === 1 ? "1 past run" : `${runs} past runs`} of ${ofProject ? "this project" : "the team; this project has too few of its own"}. In brackets, what four nights out of five stay within.`,
  },
};
