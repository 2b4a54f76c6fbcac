import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { Level } from "./level";
import { plain } from "./markdown";
import MarkdownBody from "./markdown-body";

const shown = () =>
  screen.getAllByRole("heading").map((heading) => [heading.tagName, heading.textContent, heading.className]);

test("the headings of a text stand below that of the view, and none is left out between them", () => {
  render(
    <Level value="h3">
      <MarkdownBody text={"# Migration\n\n### Why\n\n# Then"} />
    </Level>,
  );
  expect(shown()).toEqual([
    ["H3", "Migration", "rank-1"],
    ["H4", "Why", "rank-2"],
    ["H3", "Then", "rank-1"],
  ]);
});

test("a text that begins lower does not skip a level", () => {
  render(<MarkdownBody text={"## Why\n\n#### How"} />);
  expect(shown().map(([tag]) => tag)).toEqual(["H2", "H3"]);
});

test("what stands for a text while its renderer is fetched shows no signs", () => {
  expect(plain("# Migration\n\n## Why\n\nThe **old** table.\n\n- [ ] Copy `rows`\n* Switch")).toBe(
    "Migration\n\nWhy\n\nThe old table.\n\n• Copy rows\n• Switch",
  );
});
