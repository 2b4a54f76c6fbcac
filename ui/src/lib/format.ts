const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const dates = (zone: string | undefined) => ({
  exact: new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium", timeZone: zone }),
  day: new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone: zone }),
  year: new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric", timeZone: zone }),
  clock: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone }),
  week: new Intl.DateTimeFormat("en-GB", {
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    timeZone: zone,
  }),
});
let zone: string | null = null;
let inZone = dates(undefined);
const grouped = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** Shows moments in this time zone from now on; without one, in that of the device. */
export function setTimeZone(next: string | null) {
  if (next === zone) return;
  zone = next;
  try {
    inZone = dates(next ?? undefined);
  } catch {
    // The server knows a zone that this browser does not.
    inZone = dates(undefined);
  }
}

/** A moment in the member's own time zone, to the second. */
export function exactTime(iso: string): string {
  return inZone.exact.format(new Date(iso));
}

/** A moment as seen from now: `just now`, `5 min ago`, `3 h ago`, `2 d ago`, then the date. */
export function relativeTime(iso: string, now: number): string {
  const then = Date.parse(iso);
  const passed = now - then;
  const ahead = passed < -5 * SECOND;
  const span = Math.abs(passed);
  if (span < 45 * SECOND) return ahead ? "in a moment" : "just now";
  const say = (amount: number, unit: string) => (ahead ? `in ${amount} ${unit}` : `${amount} ${unit} ago`);
  if (span < HOUR) return say(Math.max(1, Math.round(span / MINUTE)), "min");
  if (span < DAY) return say(Math.round(span / HOUR), "h");
  if (span < 7 * DAY) return say(Math.round(span / DAY), "d");
  const sameYear = new Date(then).getFullYear() === new Date(now).getFullYear();
  return (sameYear ? inZone.day : inZone.year).format(then);
}

/** A moment by the member's clock: `02:14` within half a day, `Mon 02:14` within the week, then `Feb 1 02:14`. */
export function moment(iso: string, now: number): string {
  const then = Date.parse(iso);
  const ahead = Math.abs(then - now);
  if (ahead < 12 * HOUR) return inZone.clock.format(then);
  if (ahead < 6 * DAY) return inZone.week.format(then);
  return `${inZone.day.format(then)} ${inZone.clock.format(then)}`;
}

/** The time of the day by the member's clock: `02:14`. */
export function timeOfDay(iso: string): string {
  return inZone.clock.format(Date.parse(iso));
}

/** The time zones that this browser knows. */
export function timeZones(): string[] {
  return typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
}

/** A span of milliseconds: `420 ms`, `8 s`, `3 min 05 s`, `2 h 07 min`, `1 d 4 h`. */
export function duration(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ${two((ms % MINUTE) / SECOND)} s`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${two((ms % HOUR) / MINUTE)} min`;
  return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

/** A clock that runs: `0:08`, `3:05`, `2:07:44`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / SECOND));
  const two = (value: number) => String(value).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Micro-dollars as money: `$0`, `< $0.01`, `$0.42`, `$1,204.50`. */
export function money(micros: number): string {
  if (micros === 0) return "$0";
  const dollars = micros / 1_000_000;
  if (dollars > 0 && dollars < 0.01) return "< $0.01";
  return `$${dollars.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

/** Micro-dollars with all that is known of them, for a title. */
export function exactMoney(micros: number): string {
  const dollars = (micros / 1_000_000).toLocaleString("en", {
    minimumFractionDigits: 2,
    maximumFractionDigits: 6,
  });
  return `${dollars} US dollars`;
}

/** A number with its thousands apart: `12,345`. */
export function count(value: number): string {
  return grouped.format(value);
}

/** A number in few characters: `980`, `12.3K`, `1.2M`. */
export function shortCount(value: number): string {
  return compact.format(value);
}

/** A share as people write it here: `78 %`, `0.5 %`. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** `1 file`, `2 files`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** What somebody else wrote, as a sentence: with a full stop where it lacks one. */
export function sentence(text: string): string {
  const words = text.trim();
  return words === "" || /[.!?…:]$/.test(words) ? words : `${words}.`;
}

/** Bytes in units of 1024: `312 B`, `4.2 KiB`, `1.5 MiB`. */
export function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  const units = ["KiB", "MiB", "GiB"];
  let value = size / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** The first characters of a commit's id. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}

/** The first letter of a word, whole: it may be of several code units, and bear marks. */
function letter(word = ""): string | undefined {
  const [first] = new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(word);
  return first?.segment;
}

/** The letters that stand for a person: `Ada Lovelace` → `AL`. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = letter(words[0]) ?? "?";
  const last = words.length > 1 ? (letter(words.at(-1)) ?? "") : "";
  return (first + last).toUpperCase();
}
