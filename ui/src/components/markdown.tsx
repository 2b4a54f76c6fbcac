import { type ComponentType, lazy, Suspense } from "react";
import { cn } from "@/lib/cn";

let Ready: ComponentType<{ text: string }> | null = null;

/** Fetches what renders Markdown, so that the first text is not waited for. */
export async function loadMarkdown() {
  const module = await import("./markdown-body");
  Ready = module.default;
  return module;
}
const Body = lazy(loadMarkdown);

/** Markdown, without raw HTML. Its signs are not shown while the renderer is on its way. */
export function Markdown({ text, className }: { text: string; className?: string }) {
  return (
    <div className={cn("prose-page", className)}>
      {Ready === null ? (
        <Suspense fallback={<p className="whitespace-pre-wrap">{plain(text)}</p>}>
          <Body text={text} />
        </Suspense>
      ) : (
        <Ready text={text} />
      )}
    </div>
  );
}

/** The text without what makes headings, lists, code and emphasis of it. */
export function plain(text: string): string {
  return text
    .replace(/^(?:#{1,6}|>|```.*)(?:\s|$)/gm, "")
    .replace(/^(\s*)[-*+]\s+(?:\[[ x]\]\s+)?/gm, "$1• ")
    .replace(/\*\*|__|`/g, "")
    .trim();
}
