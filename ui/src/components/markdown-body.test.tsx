import { render } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import MarkdownBody from "./markdown-body";

const HOSTILE = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<a href='javascript:alert(1)'>x</a>",
  "<iframe src='https://evil.example'></iframe>",
  "<svg onload=alert(1)>",
  "<form action='https://evil.example'><button>Sign in</button></form>",
  "<style>body{display:none}</style>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](java\tscript:alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
  "[x](vbscript:msgbox(1))",
  "[x]: javascript:alert(1)\n\n[x]",
  "<javascript:alert(1)>",
  "![x](javascript:alert(1))",
  "![x](https://evil.example/seen.gif)",
  "![x](//evil.example/seen.gif)",
  "![x](/api/attachments/../auth/logout)",
  "![x](data:image/svg+xml;base64,PHN2Zy8+)",
  'x <b onclick="alert(1)">b</b>',
  "```html\n<script>alert(1)</script>\n```",
  "| a |\n| - |\n| <script>alert(1)</script> |",
  "[^1]\n\n[^1]: <img src=x onerror=alert(1)>",
];

describe("Markdown", () => {
  test.each(HOSTILE)("%j stays text", (text) => {
    const { container } = render(<MarkdownBody text={text} />);
    for (const element of container.querySelectorAll("*")) {
      expect(element.tagName).not.toMatch(
        /^(SCRIPT|IFRAME|OBJECT|EMBED|FORM|BUTTON|STYLE|SVG|LINK|META|BASE|B)$/i,
      );
      for (const { name, value } of element.attributes) {
        expect(name).not.toMatch(/^on|^srcdoc$|^style$/i);
        if (/^(href|src|action|formaction|xlink:href)$/i.test(name)) {
          expect(new URL(value, "http://own.example").protocol).toMatch(/^https?:$/);
        }
        // Nothing is fetched by being looked at but files on cards.
        if (name === "src")
          expect(new URL(value, "http://own.example").href).toMatch(
            /^http:\/\/own\.example\/api\/attachments\//,
          );
      }
    }
  });

  test("a file on a card is shown", () => {
    const src = "/api/attachments/0193f0a0-0000-7000-8000-000000000000";
    const { container } = render(<MarkdownBody text={`![x](${src})`} />);
    expect(container.querySelector("img")?.getAttribute("src")).toBe(src);
  });

  test("the box of a task is named by its task, and not by those below it", () => {
    const text = "- [ ] Sow the **beans**\n  - [x] Buy them\n\n- [ ] Water\n\n- no task";
    const { container } = render(<MarkdownBody text={text} />);
    const boxes = [...container.querySelectorAll("input")];
    expect(boxes.map((box) => [box.getAttribute("aria-label"), box.checked])).toEqual([
      ["Sow the beans", false],
      ["Buy them", true],
      ["Water", false],
    ]);
  });

  test("links lead elsewhere without telling from where", () => {
    const { container } = render(<MarkdownBody text="[docs](https://docs.example)" />);
    expect(container.querySelector("a")?.rel.split(" ")).toEqual(
      expect.arrayContaining(["noopener", "noreferrer"]),
    );
  });
});
