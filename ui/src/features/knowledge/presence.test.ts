import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Presence } from "./presence";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe("who writes at what", () => {
  const start = () => {
    const presence = new Presence(() => Date.now());
    const heard = vi.fn();
    presence.subscribe(heard);
    return { presence, heard };
  };

  it("is known until it is over", () => {
    const { presence } = start();
    expect(presence.hear("item", "ben", 30)).toBe(true);
    expect(presence.hear("item", "ben", 30), "said again").toBe(false);
    presence.hear("item", "anna", 30);
    expect(presence.at("item")).toEqual(["anna", "ben"]);
    expect(presence.at("another")).toEqual([]);
    presence.hear("item", "anna", 0);
    expect(presence.at("item")).toEqual(["ben"]);
  });

  it("is forgotten when nothing more is heard", () => {
    const { presence, heard } = start();
    presence.hear("item", "ben", 30);
    vi.advanceTimersByTime(20_000);
    presence.hear("item", "ben", 30);
    vi.advanceTimersByTime(29_000);
    expect(presence.at("item")).toEqual(["ben"]);
    heard.mockClear();
    vi.advanceTimersByTime(2_000);
    expect(presence.at("item")).toEqual([]);
    expect(heard).toHaveBeenCalled();
    expect(presence.hear("item", "ben", 30), "new again").toBe(true);
  });

  it("keeps the same list while nobody comes or goes", () => {
    const { presence } = start();
    presence.hear("item", "ben", 30);
    const before = presence.at("item");
    presence.hear("item", "ben", 30);
    expect(presence.at("item")).toBe(before);
  });
});
