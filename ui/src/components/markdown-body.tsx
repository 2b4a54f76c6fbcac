import { memo, use, useMemo } from "react";
import ReactMarkdown from "react-markdown";
import remarkGfm from "remark-gfm";
import { Level } from "./level";
import { headingsFrom } from "./markdown-headings";
import { namedTasks } from "./markdown-tasks";

/** A file on a card, and no way around it: the browser resolves `..` before it asks. */
const ATTACHMENT = /^\/api\/attachments\/[0-9a-f-]{36}$/;

const TASKS = [namedTasks];

function MarkdownBody({ text }: { text: string }) {
  const level = use(Level);
  const plugins = useMemo(() => [remarkGfm, headingsFrom(level === "h2" ? 2 : 3)], [level]);
  return (
    <ReactMarkdown
      remarkPlugins={plugins}
      rehypePlugins={TASKS}
      skipHtml
      components={{
        a: ({ href, children }) => (
          <a href={href} target="_blank" rel="noopener noreferrer nofollow">
            {children}
          </a>
        ),
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
        // A picture from elsewhere would tell its host who reads the card; show where it is instead.
        img: ({ src, alt }) =>
          typeof src === "string" && ATTACHMENT.test(src) ? (
            <img src={src} alt={alt ?? ""} loading="lazy" />
          ) : (
            <a href={typeof src === "string" ? src : "#"} target="_blank" rel="noopener noreferrer nofollow">
              {alt || src}
            </a>
          ),
      }}
    >
      {text}
    </ReactMarkdown>
  );
}

export default memo(MarkdownBody);
