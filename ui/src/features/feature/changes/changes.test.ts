import { describe, expect, it } from "vitest";
import type { DiffFile, DiffLine, Hunk } from "@/api/types";
import type { Comment } from "../lib/kept";
import { followUpMessage } from "./comments";
import { contextOf, fingerprint, gapsOf, isLarge, marksOf, openGap, pairsOf, shownHunks } from "./hunks";
import { filesOf, matches, type TreeNode, treeOf } from "./tree";

function file(path: string, hunks: Hunk[] = [], more: Partial<DiffFile> = {}): DiffFile {
  return {
    status: "modified",
    oldPath: path,
    newPath: path,
    oldMode: "100644",
    newMode: "100644",
    binary: false,
    tooLarge: false,
    additions: 1,
    deletions: 1,
    hunks,
    ...more,
  };
}

/** Lines as in a patch: ` same`, `-gone`, `+come`. */
function hunk(header: string, ...texts: string[]): Hunk {
  const [, old, from] = /-(\d+).* \+(\d+)/.exec(header) ?? [];
  let [o, n] = [Number(old), Number(from)];
  const lines = texts.map((text): DiffLine => {
    const kind = text[0] === "+" ? "add" : text[0] === "-" ? "delete" : "context";
    const line: DiffLine = {
      kind,
      oldLine: kind === "add" ? null : o,
      newLine: kind === "delete" ? null : n,
      text: text.slice(1),
    };
    if (kind !== "add") o += 1;
    if (kind !== "delete") n += 1;
    return line;
  });
  return { header, lines };
}

describe("the tree of files", () => {
  const names = (nodes: TreeNode[], depth = 0): string[] =>
    nodes.flatMap((node) => [
      `${"  ".repeat(depth)}${node.name}${node.kind === "folder" ? "/" : ""}`,
      ...(node.kind === "folder" ? names(node.children, depth + 1) : []),
    ]);

  it("puts folders first and joins those that hold only one folder", () => {
    const files = ["README.md", "src/a/b/one.rs", "src/a/b/two.rs", "src/z.rs", "docs/x/y/z.md", "a.txt"].map(
      (path) => file(path),
    );
    const tree = treeOf(files);
    expect(names(tree)).toEqual([
      "docs/x/y/",
      "  z.md",
      "src/",
      "  a/b/",
      "    one.rs",
      "    two.rs",
      "  z.rs",
      "a.txt",
      "README.md",
    ]);
    expect(filesOf(tree).map((entry) => entry.newPath)[0]).toBe("docs/x/y/z.md");
    expect(filesOf(tree)).toHaveLength(6);
  });

  it("shows what is gone where it was, and what moved where it is", () => {
    const gone = file("old.rs", [], { status: "deleted" });
    const moved = file("new/place.rs", [], { status: "renamed", oldPath: "old/place.rs" });
    expect(names(treeOf([gone, moved]))).toEqual(["new/", "  place.rs", "old.rs"]);
  });

  it("finds files by every word", () => {
    expect(matches("src/Feature/view.tsx", "view feat")).toBe(true);
    expect(matches("src/feature/view.tsx", "view css")).toBe(false);
    expect(matches("anything", "")).toBe(true);
  });
});

describe("hunks", () => {
  const middle = hunk("@@ -10,3 +10,4 @@ fn main() {", " a", "-b", "+B", "+C", " d");
  const later = hunk("@@ -30,5 +31,5 @@", " x", "-y", "+z", " 1", " 2", " 3");

  it("leave gaps before, between and after them", () => {
    const gaps = gapsOf(file("a"), [middle, later]);
    expect(gaps).toEqual([
      { index: 0, old: 1, from: 1, to: 9 },
      { index: 1, old: 13, from: 14, to: 30 },
      { index: 2, old: 35, from: 36, to: null },
    ]);
    // Less than three unchanged lines at the end: there is nothing more.
    expect(gapsOf(file("a"), [middle]).at(-1)).toBeNull();
    expect(contextOf(middle)).toBe("fn main() {");
    expect(gapsOf(file("a"), [hunk("@@ -1,2 +1,2 @@", " a", "-b", "+c")])[0]).toBeNull();
    expect(gapsOf(file("a", [], { status: "added" }), [middle])).toEqual([null, null]);
    // Only added lines: git counts the side without lines from the line before.
    expect(gapsOf(file("a"), [hunk("@@ -5,0 +6,2 @@", "+a", "+b")])).toEqual([
      { index: 0, old: 1, from: 1, to: 5 },
      null,
    ]);
  });

  it("open their gaps from both ends, with the numbers of both sides", () => {
    const content = Array.from({ length: 40 }, (_, i) => `line ${i + 1}`);
    const [, gap, end] = gapsOf(file("a"), [middle, later]);
    if (!gap || !end) throw new Error("no gap");
    expect(openGap(gap, null, { top: 5, bottom: 5 })).toEqual({ top: [], hidden: 17, bottom: [] });
    const opened = openGap(gap, content, { top: 2, bottom: 1 });
    expect(opened.top.map((line) => [line.oldLine, line.newLine, line.text])).toEqual([
      [13, 14, "line 14"],
      [14, 15, "line 15"],
    ]);
    expect(opened.hidden).toBe(14);
    expect(opened.bottom.map((line) => [line.oldLine, line.newLine])).toEqual([[29, 30]]);
    expect(openGap(gap, content, { top: 99, bottom: 99 })).toMatchObject({ hidden: 0, bottom: [] });
    expect(openGap(end, content, { top: 99, bottom: 0 }).top).toHaveLength(5);
    expect(openGap(end, null, { top: 9, bottom: 0 }).hidden).toBeNull();
  });

  it("lose lines that differ only in blanks", () => {
    const reindented = hunk(
      "@@ -1,4 +1,5 @@",
      "-if x {",
      "-a();",
      "-}",
      "+  if x  {",
      "+  a();",
      "+  b();",
      "+  }",
    );
    const [shown] = shownHunks(file("a", [reindented]), true);
    expect(shown?.lines.map((line) => [line.kind, line.oldLine, line.newLine, line.text])).toEqual([
      ["context", 1, 1, "  if x  {"],
      ["context", 2, 2, "  a();"],
      ["add", null, 3, "  b();"],
      ["context", 3, 4, "  }"],
    ]);
    expect(shownHunks(file("a", [hunk("@@ -1 +1 @@", "-a b", "+ab")]), true)).toEqual([]);
    expect(shownHunks(file("a", [reindented]), false)).toEqual([reindented]);
  });

  it("stand side by side", () => {
    expect(pairsOf(middle.lines).map(({ left, right }) => [left?.text, right?.text])).toEqual([
      ["a", "a"],
      ["b", "B"],
      [undefined, "C"],
      ["d", "d"],
    ]);
  });

  it("mark the words that changed, where lines have a counterpart", () => {
    const { lines } = hunk("@@ -1,2 +1,2 @@", "-let a = one(1);", "+let a = two(1);");
    const marks = marksOf(lines);
    expect([...marks.values()]).toEqual([[[8, 11]], [[8, 11]]]);
    const unlike = hunk("@@ -1 +1,9 @@", "-a b c", ...Array.from({ length: 9 }, () => "+a b d"));
    expect(marksOf(unlike.lines).size).toBe(0);
  });

  it("have a fingerprint that changes with them", () => {
    const before = fingerprint(file("a", [middle]));
    expect(fingerprint(file("a", [middle]))).toBe(before);
    expect(fingerprint(file("a", [later]))).not.toBe(before);
    expect(fingerprint(file("a", [middle], { newMode: "100755" }))).not.toBe(before);
  });

  it("are folded at first when there are very many, or a program wrote them", () => {
    expect(isLarge(file("a.rs"))).toBe(false);
    expect(isLarge(file("a.rs", [], { additions: 2_000 }))).toBe(true);
    expect(isLarge(file("ui/package-lock.json"))).toBe(true);
    expect(isLarge(file("src/blockchain.rs"))).toBe(false);
  });
});

describe("comments", () => {
  const comment = (more: Partial<Comment>): Comment => ({
    id: "1",
    path: "src/a.rs",
    side: "new",
    line: 7,
    quote: "    let x = 1;",
    text: "Name this better.",
    ...more,
  });

  it("become one message, in the order of the files", () => {
    const message = followUpMessage("", [
      comment({ path: "src/b.rs", line: 2, text: " Needed? " }),
      comment({ line: 12, quote: "" }),
      comment({ side: "old" }),
    ]);
    expect(message).toBe(
      [
        "Please make these changes:",
        "",
        "`src/a.rs:7` (a line that was taken away)",
        "```",
        "let x = 1;",
        "```",
        "Name this better.",
        "",
        "`src/a.rs:12`",
        "Name this better.",
        "",
        "`src/b.rs:2`",
        "```",
        "let x = 1;",
        "```",
        "Needed?",
      ].join("\n"),
    );
  });

  it("come after what was written, and are not needed for it", () => {
    expect(followUpMessage(" Thanks! ", [])).toBe("Thanks!");
    expect(followUpMessage(" Thanks! ", [comment({ quote: "" })])).toBe(
      "Thanks!\n\n`src/a.rs:7`\nName this better.",
    );
    expect(followUpMessage("  ", [])).toBe("");
  });

  it("quote lines that hold fences", () => {
    expect(followUpMessage("", [comment({ quote: "```sh" })])).toContain("````\n```sh\n````");
  });
});
