import { bytes, duration, money, shortCount } from "@/lib/format";
import type { Mark, Unit } from "./series";
import { words } from "./strings";

const small = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const round = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** A number with at most one digit behind the point: a mean of whole things. */
export const tenths = (value: number) => round.format(value);

/** Means of whole things as whole things: some of one is less than one, and not nothing. */
export const whole = (value: number) => (value > 0 && value < 0.95 ? "< 1" : round.format(Math.round(value)));

/** A value of a measure, for people. */
export function show(value: number, unit: Unit): string {
  switch (unit) {
    case "bytes":
      return value >= 1024 ** 4 ? `${round.format(value / 1024 ** 4)} TiB` : bytes(Math.round(value));
    case "count":
      return value < 1_000 ? round.format(value) : shortCount(value);
    case "share":
      return small.format(value);
    case "millis":
      return value < 10 ? `${round.format(value)} ms` : duration(value);
    case "micros":
      return money(Math.round(value));
  }
}

/** A mark in words. */
export const showMark = ({ level, value }: Mark, unit: Unit) =>
  `${words.threshold[level]} ${show(value, unit)}`;
