import { expect, it } from "vitest";
import { diffLines, folded, pieces } from "./text-diff";

const text = (...lines: string[]) => lines.join("\n");
const many = (count: number) => Array.from({ length: count }, (_, n) => `line ${n}`);

it("names the lines that changed, with the words in them", () => {
  const lines = diffLines(
    text("one", "Ask your team first.", "three"),
    text("one", "Ask your admin first.", "three"),
  );
  expect(lines.map(({ kind, before, after }) => [kind, before, after])).toEqual([
    ["same", 1, 1],
    ["delete", 2, 0],
    ["add", 0, 2],
    ["same", 3, 3],
  ]);
  const [, old, now] = lines;
  expect(pieces(old?.text ?? "", old?.marks ?? []).filter((piece) => piece.marked)).toMatchObject([
    { text: "team" },
  ]);
  expect(pieces(now?.text ?? "", now?.marks ?? []).map((piece) => piece.text)).toEqual([
    "Ask your ",
    "admin",
    " first.",
  ]);
});

it("leaves out what is far from every change", () => {
  const before = many(30);
  const after = before.with(15, "another");
  const parts = folded(diffLines(before.join("\n"), after.join("\n")));
  expect(parts.map(({ kind, lines }) => [kind, lines.length])).toEqual([
    ["gap", 12],
    ["lines", 8],
    ["gap", 11],
  ]);
  expect(parts.flatMap((part) => part.lines)).toHaveLength(31);
});

it("shows a text that did not change as one gap, and a new one whole", () => {
  expect(folded(diffLines("a\nb\nc", "a\nb\nc")).map((part) => part.kind)).toEqual(["gap"]);
  expect(diffLines("", "new").filter((line) => line.kind !== "same")).toHaveLength(2);
  expect(pieces("", [])).toEqual([{ text: "", marked: false, from: 0 }]);
});
