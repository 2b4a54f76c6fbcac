import { afterEach, describe, expect, it } from "vitest";
import { feature } from "@/test/samples";
import { BLANK, draftOf, loadDraft, refuseFile, saveDraft, toCreate, toPatch } from "./draft";

afterEach(() => localStorage.clear());

describe("a draft", () => {
  it("survives a reload, and is gone once it is saved", () => {
    saveDraft("p1", { ...BLANK, description: "half a" });
    expect(loadDraft("p1")?.description).toBe("half a");
    expect(loadDraft("p2")).toBeNull();
    saveDraft("p1", null);
    expect(loadDraft("p1")).toBeNull();
    localStorage.setItem("guildhall.draft.p1", "{broken");
    expect(loadDraft("p1")).toBeNull();
  });

  it("sends a title alone as the description, and nothing that is empty", () => {
    const sent = toCreate({ ...BLANK, title: " Add a flag " });
    expect(sent).toMatchObject({ title: "Add a flag", description: "Add a flag" });
    expect(sent).not.toHaveProperty("category");
    expect(sent).not.toHaveProperty("model");
    expect(toCreate({ ...BLANK, description: "x" })).not.toHaveProperty("title");
  });

  it("patches only what is another", () => {
    const before = draftOf(feature({ id: "a", title: "One", model: "m", dependencies: ["x"] }));
    expect(toPatch(before, before)).toEqual({});
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
    expect(refuseFile(file("big.png", "image/png", 5 * 1024 * 1024 + 1))).toContain("5 MiB");
    expect(refuseFile(file("a.svg", "image/svg+xml"))).toContain("PNG");
    expect(refuseFile(file("a.mp4", "video/mp4"))).toContain("images and text");
  });
});
