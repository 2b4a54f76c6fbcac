import { describe, expect, it } from "vitest";
import { cloneLine } from "./clone";

const at = "https://guildhall.example";

describe("the line by which a project is cloned", () => {
  it("names it where its name needs no quoting, as it ends, too", () => {
    expect(cloneLine(at, { id: "1", name: "todo.api_2-x" })).toBe(`git clone ${at}/git/todo.api_2-x.git`);
    expect(cloneLine(at, { id: "1", name: "todo.git" })).toBe(`git clone ${at}/git/todo.git.git`);
  });

  it("goes by the id else, into a folder of the name", () => {
    const line = (name: string) => cloneLine(at, { id: "7f", name });
    expect(line("Our shop (new)")).toBe(`git clone ${at}/git/7f.git Our-shop-new`);
    expect(line("-rf")).toBe(`git clone ${at}/git/7f.git rf`);
    expect(line("..")).toBe(`git clone ${at}/git/7f.git project`);
    expect(line("$(reboot); Café")).toBe(`git clone ${at}/git/7f.git reboot-Cafe`);
    expect(line("日本")).toBe(`git clone ${at}/git/7f.git project`);
  });
});
