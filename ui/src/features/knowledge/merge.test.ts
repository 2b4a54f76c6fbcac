import { describe, expect, it } from "vitest";
import { merge, mergeFields, mergeLists, settled } from "./merge";

const lines = (...all: string[]) => all.join("\n");

describe("two texts made of one", () => {
  const base = lines("# Rules", "", "Test first.", "", "Write little.", "", "Ask.");

  it("keep what each of them changed alone", () => {
    const mine = lines("# Rules", "", "Test first, always.", "", "Write little.", "", "Ask.");
    const theirs = lines("# Rules", "", "Test first.", "", "Write little.", "", "Ask early.", "Ask often.");
    const parts = merge(base, mine, theirs);
    expect(parts.every((part) => part.kind === "settled")).toBe(true);
    expect(settled(parts, [])).toBe(
      lines("# Rules", "", "Test first, always.", "", "Write little.", "", "Ask early.", "Ask often."),
    );
  });

  it("show what both changed, and lose neither", () => {
    const mine = base.replace("Write little.", "Write less.");
    const theirs = base.replace("Write little.", "Write plainly.");
    const parts = merge(base, mine, theirs);
    expect(parts.filter((part) => part.kind === "conflict")).toEqual([
      { kind: "conflict", base: ["Write little."], mine: ["Write less."], theirs: ["Write plainly."] },
    ]);
    expect(settled(parts, ["mine"])).toBe(mine);
    expect(settled(parts, ["theirs"])).toBe(theirs);
    expect(settled(parts, [undefined])).toContain("Write less.\nWrite plainly.");
  });

  it("agree when both made the same change, or none", () => {
    const both = base.replace("Ask.", "Ask early.");
    expect(settled(merge(base, both, both), [])).toBe(both);
    expect(settled(merge(base, base, base), [])).toBe(base);
    expect(settled(merge("", "one", "one"), [])).toBe("one");
  });

  it("take a deletion beside an untouched line", () => {
    const theirs = lines("# Rules", "", "Write little.", "", "Ask.");
    expect(settled(merge(base, base, theirs), [])).toBe(theirs);
    expect(settled(merge(base, theirs, base), [])).toBe(theirs);
  });

  it("never lose a line of mine or theirs while a conflict is open", () => {
    // Every pair of small texts over three letters.
    const texts: string[] = [""];
    for (const letter of "abc")
      for (const text of [...texts]) texts.push(text === "" ? letter : `${text}\n${letter}`);
    for (const mine of texts)
      for (const theirs of texts) {
        const all = settled(merge("a\nb", mine, theirs), []).split("\n");
        for (const line of [...mine.split("\n"), ...theirs.split("\n")]) {
          const gone = ["a", "b"].includes(line) && !(mine.includes(line) && theirs.includes(line));
          if (line !== "" && !gone) expect(all, `${mine} + ${theirs}`).toContain(line);
        }
      }
  });
});

describe("two drafts of one item", () => {
  it("join lists by what was added and taken away", () => {
    expect(mergeLists(["a", "b"], ["a", "c"], ["a", "b", "d"])).toEqual(["a", "d", "c"]);
    expect(mergeLists([], ["x"], ["x", "y"])).toEqual(["x", "y"]);
  });

  it("name the fields that both changed", () => {
    const base = { title: "One", description: "", tags: ["a"], priority: 3 };
    const mine = { ...base, title: "Mine", description: "More", tags: ["a", "b"] };
    const theirs = { ...base, title: "Theirs", tags: ["c"], priority: 1 };
    expect(mergeFields(base, mine, theirs)).toEqual({
      merged: { title: "Mine", description: "More", tags: ["c", "b"], priority: 1 },
      conflicts: ["title"],
    });
  });
});
