import { describe, expect, it } from "vitest";
import { command } from "./commands";
import { changeOf, withHost } from "./draft";

describe("what is sent of a project's settings", () => {
  it("is what was edited, and nothing else", () => {
    expect(changeOf({ name: " Shop " })).toEqual({ name: "Shop" });
    expect(changeOf({ instructions: "Be brief." })).toEqual({ settings: { instructions: "Be brief." } });
    expect(changeOf({ hosts: " a.example\n\nb.example " })).toEqual({
      settings: { network: { hosts: ["a.example", "b.example"] } },
    });
    expect(changeOf({ verifyCommands: [command("make test"), command(" ")], defaultModel: null })).toEqual({
      settings: { verifyCommands: ["make test"], defaultModel: null },
    });
    expect(changeOf({})).toEqual({});
  });

  it("adds a host to a list that is being edited", () => {
    expect(withHost("", "a.example")).toBe("a.example");
    expect(withHost("a.example", "b.example")).toBe("a.example\nb.example");
  });
});
