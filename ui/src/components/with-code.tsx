import type { ReactNode } from "react";

/** A sentence in which what stands between backticks is shown as code. */
export function WithCode({ text }: { text: string }): ReactNode {
  return text.split(/`([^`\n]+)`/).map((part, at) =>
    at % 2 === 1 ? (
      <code
        // biome-ignore lint/suspicious/noArrayIndexKey: a part is what stands at its place.
        key={at}
        className="rounded bg-[color-mix(in_oklab,currentColor_9%,transparent)] px-1 py-px text-[0.92em]"
      >
        {part}
      </code>
    ) : (
      part
    ),
  );
}
