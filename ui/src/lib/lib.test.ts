import { describe, expect, it } from "vitest";
import { asApiError, errorOf } from "@/api/error";
import { safeNext } from "@/app/session";
import { nameFromUrl } from "@/features/projects/source";
import { deviceName } from "@/features/settings/device";
import { keyName } from "./hotkeys";
import { rank } from "./search";

describe("rank", () => {
  it("wants all words and prefers beginnings", () => {
    const found = rank("set", ["offset", "Settings", "Reset all"], (text) => text);
    expect(found[0]).toBe("Settings");
    expect(rank("new card", ["New card in Atlas", "A new project"], (text) => text)).toEqual([
      "New card in Atlas",
    ]);
  });
});

describe("keyName", () => {
  const press = (key: string, more: KeyboardEventInit = {}) =>
    keyName(new KeyboardEvent("keydown", { key, ...more }));
  it("writes keys the way the lists of keys do", () => {
    expect(press("k", { ctrlKey: true })).toBe("mod+k");
    expect(press("k", { metaKey: true })).toBe("mod+k");
    expect(press("?", { shiftKey: true })).toBe("?");
    expect(press("X", { shiftKey: true })).toBe("shift+x");
    expect(press("Escape")).toBe("esc");
  });
});

describe("addresses", () => {
  it("goes on only within the page", () => {
    expect(safeNext("/p/1?f=2")).toBe("/p/1?f=2");
    for (const bad of [
      "//evil.example",
      "/\\evil.example",
      "https://evil.example",
      "javascript:alert(1)",
      undefined,
    ]) {
      expect(safeNext(bad)).toBe("/");
    }
  });

  it("names a project after its repository", () => {
    expect(nameFromUrl("https://git.example.com/team/tool.git")).toBe("tool");
    expect(nameFromUrl("git@host:team/tool.git")).toBe("tool");
    expect(nameFromUrl("/srv/repos/big one/")).toBe("big one");
    expect(nameFromUrl("half")).toBe("");
  });

  it("names a device by what its browser says", () => {
    const chrome =
      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
    expect(deviceName(chrome)).toBe("Chrome on Linux");
    expect(deviceName("")).toBe("Unknown device");
  });
});

describe("errors", () => {
  it("reads problem details with their extras", async () => {
    const body = {
      title: "Conflict",
      status: 409,
      detail: "Two files.",
      code: "merge-conflict",
      requestId: "r",
      files: [],
    };
    const error = await errorOf(new Response(JSON.stringify(body), { status: 409 }));
    expect(error).toMatchObject({
      status: 409,
      code: "merge-conflict",
      detail: "Two files.",
      requestId: "r",
    });
    expect(error.extras).toEqual({ files: [] });
  });

  it("makes do with what is no problem at all", async () => {
    const error = await errorOf(
      new Response("<h1>Bad gateway</h1>", { status: 502, statusText: "Bad Gateway" }),
    );
    expect(error).toMatchObject({ code: "http-502" });
    expect(error.detail).toContain("502");
    expect(error.detail).toContain("Try again in a moment");
    expect(asApiError(new TypeError("Failed to fetch")).code).toBe("offline");
  });
});
