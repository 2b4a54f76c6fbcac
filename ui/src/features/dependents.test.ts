import { describe, expect, it } from "vitest";
import { card } from "@/test/samples";
import { dependents, listed } from "./dependents";

describe("dependents", () => {
  const login = card({ id: "a", number: 1, title: "Log in", status: "verified" });
  const logout = card({ id: "b", number: 2, title: "Log out", dependencies: ["a"] });
  const profile = card({ id: "c", number: 3, title: "Profile", status: "queued", dependencies: ["a", "b"] });
  const done = card({ id: "d", number: 4, status: "completed", dependencies: ["a"] });
  const all = [login, logout, profile, done];
  const of = (...gone: (typeof login)[]) => dependents(gone, all).map((entry) => entry.id);

  it("are the cards that a deletion leaves waiting", () => {
    expect(of(login)).toEqual(["b", "c"]);
    expect(of(login, logout)).toEqual(["c"]);
    expect(of(profile)).toEqual([]);
    // What is merged is there for good.
    expect(of({ ...login, status: "completed" })).toEqual([]);
  });

  it("are named in a sentence", () => {
    expect(listed([])).toBe("");
    expect(listed([login])).toBe("#1 “Log in”");
    expect(listed([login, logout, profile])).toBe("#1 “Log in”, #2 “Log out” and #3 “Profile”");
    expect(listed(Array.from({ length: 7 }, () => login))).toMatch(/ and 2 more$/);
  });
});
