import { afterEach, describe, expect, it } from "vitest";
import { feature } from "@/test/samples";
import { BLANK, draftOf, keptDraft, readKept, rebase, refuseFile, toCreate, toPatch } from "./draft";

afterEach(() => localStorage.clear());

describe("a draft", () => {
  it("survives a reload, and is gone once it is saved", () => {
    const half = { draft: { ...BLANK, description: "half a" }, base: BLANK, version: 0 };
    keptDraft("p1").set(half);
    const [stored] = Object.values(localStorage);
    expect(readKept(JSON.parse(String(stored)))).toEqual(half);
    expect(keptDraft("p2").get()).toBeNull();
    keptDraft("p1").set(null);
    expect(localStorage).toHaveLength(0);
    expect(readKept({ ...BLANK, description: "of an older page" })).toBeNull();
  });

  it("goes on over what others changed since, unless that is the same", () => {
    const base = draftOf(feature({ id: "a", title: "One", description: "Old.", version: 1 }));
    const kept = { draft: { ...base, title: "Mine " }, base, version: 1 };
    const theirs = { ...base, description: "New.", dependencies: ["x"] };
    expect(rebase(kept, theirs, 2)).toEqual({
      draft: { ...theirs, title: "Mine " },
      base: theirs,
      version: 2,
    });
    expect(rebase(kept, { ...base, title: "Theirs" }, 2)).toBe(kept);
    expect(rebase(kept, { ...base, title: "Mine" }, 2).version).toBe(2);
    expect(rebase(kept, { ...base, title: "Older" }, 1)).toBe(kept);
  });

  it("sends a title alone as the description, and nothing that is empty", () => {
    const sent = toCreate({ ...BLANK, title: " Add a flag " });
    expect(sent).toMatchObject({ title: "Add a flag", description: "Add a flag" });
    expect(sent).not.toHaveProperty("category");
    expect(sent).not.toHaveProperty("model");
    expect(sent).not.toHaveProperty("branch");
    expect(toCreate({ ...BLANK, description: "x" })).not.toHaveProperty("title");
    expect(toCreate({ ...BLANK, branch: " mine " })).toMatchObject({ branch: "mine" });
  });

  it("patches only what is another", () => {
    const before = draftOf(feature({ id: "a", title: "One", model: "m", dependencies: ["x"] }));
    expect(toPatch(before, before)).toEqual({});
    expect(toPatch({ ...before, branch: "mine " }, before)).toEqual({ branch: "mine" });
    const named = draftOf(feature({ id: "a", branch: "mine" }));
    expect(toPatch({ ...named, branch: "" }, named)).toEqual({ branch: "" });
    expect(toPatch({ ...before, title: "Two ", model: null, dependencies: [] }, before)).toEqual({
      title: "Two",
      model: null,
      dependencies: [],
    });
  });
});

describe("refuseFile", () => {
  const file = (name: string, type: string, size = 10) => new File([new Uint8Array(size)], name, { type });
  it("lets images and texts through", () => {
    expect(refuseFile(file("a.png", "image/png"))).toBeNull();
    expect(refuseFile(file("notes.md", ""))).toBeNull();
    expect(refuseFile(file("data.json", "application/json"))).toBeNull();
  });
  it("says why not", () => {
    expect(refuseFile(file("big.png", "image/png", 3_932_160))).toBeNull();
    expect(refuseFile(file("big.png", "image/png", 3_932_161))).toContain("3.75 MiB");
    expect(refuseFile(file("big.txt", "text/plain", 5 * 1024 * 1024 + 1))).toContain("5 MiB");
    expect(refuseFile(file("a.svg", "image/svg+xml"))).toContain("PNG");
    expect(refuseFile(file("a.mp4", "video/mp4"))).toContain("images and text");
  });
});
