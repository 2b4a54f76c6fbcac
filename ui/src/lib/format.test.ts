import { describe, expect, it } from "vitest";
import {
  bytes,
  clock,
  duration,
  exactTime,
  initials,
  money,
  plural,
  relativeTime,
  sentence,
  setTimeZone,
} from "./format";

const now = Date.parse("2026-03-10T12:00:00Z");
const ago = (ms: number) => new Date(now - ms).toISOString();

describe("relativeTime", () => {
  it("grows coarser with the distance", () => {
    expect(relativeTime(ago(3_000), now)).toBe("just now");
    expect(relativeTime(ago(60_000), now)).toBe("1 min ago");
    expect(relativeTime(ago(59 * 60_000), now)).toBe("59 min ago");
    expect(relativeTime(ago(3 * 3_600_000), now)).toBe("3 h ago");
    expect(relativeTime(ago(2 * 86_400_000), now)).toBe("2 d ago");
    expect(relativeTime(ago(20 * 86_400_000), now)).toBe("Feb 18");
    expect(relativeTime("2024-12-24T12:00:00Z", now)).toBe("Dec 24, 2024");
  });

  it("looks ahead as well, but takes a clock that is a little off for now", () => {
    expect(relativeTime(ago(-2_000), now)).toBe("just now");
    expect(relativeTime(ago(-10 * 60_000), now)).toBe("in 10 min");
  });
});

describe("spans", () => {
  it("says durations in two units at most", () => {
    expect(duration(420)).toBe("420 ms");
    expect(duration(8_440)).toBe("8.4 s");
    expect(duration(59_999)).toBe("59 s");
    expect(duration(185_000)).toBe("3 min 05 s");
    expect(duration(7_620_000)).toBe("2 h 07 min");
    expect(duration(100_800_000)).toBe("1 d 4 h");
  });

  it("shows a clock, never below zero", () => {
    expect(clock(8_000)).toBe("0:08");
    expect(clock(7_664_000)).toBe("2:07:44");
    expect(clock(-500)).toBe("0:00");
  });
});

describe("numbers", () => {
  it("turns micro-dollars into money", () => {
    expect(money(0)).toBe("$0");
    expect(money(900)).toBe("< $0.01");
    expect(money(420_000)).toBe("$0.42");
    expect(money(1_204_500_000)).toBe("$1,204.50");
  });

  it("counts and measures", () => {
    expect(plural(1, "file")).toBe("1 file");
    expect(plural(2_000, "card")).toBe("2,000 cards");
    expect(bytes(312)).toBe("312 B");
    expect(bytes(1_572_864)).toBe("1.5 MiB");
    expect(initials("Ada King Lovelace")).toBe("AL");
    expect(initials(" ")).toBe("?");
    expect(initials("Zoe 👩‍💻")).toBe("Z👩‍💻");
  });
});

describe("setTimeZone", () => {
  it("shows moments in that zone, and in the device's when the browser does not know it", () => {
    const at = "2026-03-10T12:00:00Z";
    const own = exactTime(at);
    setTimeZone("Pacific/Kiritimati");
    expect(exactTime(at)).toBe(
      new Date(at).toLocaleString(undefined, {
        dateStyle: "full",
        timeStyle: "medium",
        timeZone: "Pacific/Kiritimati",
      }),
    );
    expect(exactTime(at)).not.toBe(own);
    setTimeZone("Moon/Tranquility");
    expect(exactTime(at)).toBe(own);
    setTimeZone(null);
    expect(exactTime(at)).toBe(own);
  });
});

describe("sentence", () => {
  it("ends what somebody else wrote", () => {
    expect(sentence("invalid x-api-key")).toBe("invalid x-api-key.");
    expect(sentence("It broke. ")).toBe("It broke.");
    expect(sentence("")).toBe("");
  });
});
