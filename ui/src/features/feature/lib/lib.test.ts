import { describe, expect, it } from "vitest";
import { parseTerminal } from "./ansi";
import { changedWords } from "./intraline";
import { paint } from "./paint";
import { compare } from "./sequence";

const walk = (a: string, b: string, most?: number) =>
  compare([...a], [...b], most)
    .map((step) => (step.kind === "same" ? "=" : step.kind === "add" ? "+" : "-"))
    .join("");

/** Applies the steps, to see that they lead from one to the other. */
function apply(a: string[], b: string[]) {
  const steps = compare(a, b);
  const left = steps.filter((s) => s.kind !== "add").map((s) => a[s.a]);
  const right = steps.filter((s) => s.kind !== "delete").map((s) => b[s.b]);
  return { left, right, changes: steps.filter((s) => s.kind !== "same").length };
}

describe("compare", () => {
  it("finds the shortest way, deletions first", () => {
    expect(walk("", "")).toBe("");
    expect(walk("abc", "abc")).toBe("===");
    expect(walk("", "ab")).toBe("++");
    expect(walk("ab", "")).toBe("--");
    expect(walk("axc", "ayc")).toBe("=-+=");
    expect(walk("abcabba", "cbabac")).toHaveLength(9);
    expect(apply([..."abcabba"], [..."cbabac"]).changes).toBe(5);
  });

  it("always leads from the one to the other", () => {
    let seed = 7;
    const random = (n: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % n;
    };
    for (let round = 0; round < 300; round += 1) {
      const a = Array.from({ length: random(30) }, () => String(random(4)));
      const b = Array.from({ length: random(30) }, () => String(random(4)));
      const { left, right } = apply(a, b);
      expect(left).toEqual(a);
      expect(right).toEqual(b);
    }
  });

  it("gives up on what differs in very much", () => {
    expect(walk("abcdef", "ghijkl", 3)).toBe("------++++++");
  });
});

describe("changedWords", () => {
  it("marks the words that changed", () => {
    const marks = changedWords("let total = count(items);", "let total = sum(items, 2);");
    expect(marks?.before.map(([a, b]) => "let total = count(items);".slice(a, b))).toEqual(["count"]);
    expect(marks?.after.map(([a, b]) => "let total = sum(items, 2);".slice(a, b))).toEqual(["sum", ", 2"]);
  });

  it("says nothing of lines that have little in common, or nothing different", () => {
    expect(changedWords("return Ok(());", "#[derive(Debug)]")).toBeNull();
    expect(changedWords("same", "same")).toBeNull();
    expect(changedWords("x".repeat(3_000), `${"x".repeat(3_000)}y`)).toBeNull();
  });

  it("marks indentation that changed", () => {
    const marks = changedWords("  let a = 1;", "    let a = 1;");
    expect(marks).toEqual({ before: [[0, 2]], after: [[0, 4]] });
  });
});

describe("paint", () => {
  it("cuts where colour or mark changes", () => {
    expect(
      paint(
        "let x = 1;",
        [3, 2, 1, 0, 1, 0],
        [
          [2, 5],
          [8, 9],
        ],
      ),
    ).toEqual([
      { text: "le", token: 2, marked: false },
      { text: "t", token: 2, marked: true },
      { text: " x", token: 0, marked: true },
      { text: " = ", token: 0, marked: false },
      { text: "1", token: 0, marked: true },
      { text: ";", token: 0, marked: false },
    ]);
  });

  it("keeps the whole text when the tokens are of another one", () => {
    expect(
      paint("ab", [5, 1, 5, 2])
        .map((piece) => piece.text)
        .join(""),
    ).toBe("ab");
    expect(
      paint("abcdef", [2, 1])
        .map((piece) => piece.text)
        .join(""),
    ).toBe("abcdef");
    expect(paint("")).toEqual([]);
  });
});

describe("parseTerminal", () => {
  const spans = (text: string) => parseTerminal(text).map((line) => line.spans);

  it("reads colours and attributes, across lines", () => {
    expect(spans("\u001b[1;31merror\u001b[0m: no\n")).toEqual([
      [
        { text: "error", look: { bold: true, fg: 1 } },
        { text: ": no", look: {} },
      ],
    ]);
    expect(spans("\u001b[32mone\ntwo\u001b[39m!")).toEqual([
      [{ text: "one", look: { fg: 2 } }],
      [
        { text: "two", look: { fg: 2 } },
        { text: "!", look: {} },
      ],
    ]);
    expect(spans("\u001b[38;5;208mx\u001b[48;2;1;2;3my")[0]).toEqual([
      { text: "x", look: { fg: "rgb(255 135 0)" } },
      { text: "y", look: { fg: "rgb(255 135 0)", bg: "rgb(1 2 3)" } },
    ]);
    expect(spans("\u001b[1mb\u001b[22mn\u001b[7mi\u001b[m.")[0]?.map((span) => span.look)).toEqual([
      { bold: true },
      {},
      { inverse: true },
      {},
    ]);
  });

  it("lets a line be written over", () => {
    expect(parseTerminal("10%\r50%\r100%\ndone\n").map((line) => line.text)).toEqual(["100%", "done"]);
    expect(parseTerminal("longer\rno\u001b[K").map((line) => line.text)).toEqual(["no"]);
    expect(parseTerminal("abc\b\bX").map((line) => line.text)).toEqual(["aXc"]);
    expect(parseTerminal("one\r\ntwo\r\n").map((line) => line.text)).toEqual(["one", "two"]);
    expect(parseTerminal("downloading\u001b[2K\rdone").map((line) => line.text)).toEqual(["done"]);
  });

  it("leaves out every other sequence, cut ones as well", () => {
    expect(
      parseTerminal(
        "\u001b]8;;http://x\u0007link\u001b]8;;\u0007 \u001b[?25lhid\u001b[2Jden\u001b(B\u0007 end\u001b[3",
      )[0]?.text,
    ).toBe("link hidden end3");
    expect(parseTerminal("")).toEqual([{ text: "", spans: [] }]);
  });
});
