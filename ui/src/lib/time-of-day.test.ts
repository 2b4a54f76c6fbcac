// @vitest-environment node
import { expect, test } from "vitest";
import { fullTime, later, readTime } from "./time-of-day";

test("a time of the day is read as people type it, and kept in one form", () => {
  const typed = ["7", "07", "730", "0730", "7.30", "7:30", "7h30", "7:30 pm", "12 am", "12pm", "23:59", "0"];
  expect(typed.map(readTime)).toEqual([
    "07:00",
    "07:00",
    "07:30",
    "07:30",
    "07:30",
    "07:30",
    "07:30",
    "19:30",
    "00:00",
    "12:00",
    "23:59",
    "00:00",
  ]);
  expect(["", "24", "7:60", "13 pm", "0 am", "soon", "7:3", "-1"].map(readTime)).toEqual(
    Array(8).fill(undefined),
  );
});

test("only what is written out counts while it is typed", () => {
  expect(["2", "22", "22:", "22:1", "22:15", "7:05", "24:00"].map(fullTime)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    "22:15",
    "07:05",
    undefined,
  ]);
});

test("steps go on over midnight", () => {
  expect([later("23:50", 15), later("00:05", -15), later("07:00", 15)]).toEqual(["00:05", "23:50", "07:15"]);
});
