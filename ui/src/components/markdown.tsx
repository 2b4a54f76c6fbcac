import { lazy, Suspense } from "react";
import { cn } from "@/lib/cn";

const Body = lazy(() => import("./markdown-body"));

/** Markdown, without raw HTML. Shows the plain text until the renderer is here. */
export function Markdown({ text, className }: { text: string; className?: string }) {
  return (
    <div className={cn("prose-page", className)}>
      <Suspense fallback={<p className="whitespace-pre-wrap">{text}</p>}>
        <Body text={text} />
      </Suspense>
    </div>
  );
}
