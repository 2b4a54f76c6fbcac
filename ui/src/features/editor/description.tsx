import { Eye, PencilLine } from "lucide-react";
import { type ReactNode, type Ref, useLayoutEffect, useRef, useState } from "react";
import { Markdown } from "@/components/markdown";

const LEAST = 176;

/** Markdown, to be written or looked at. */
export function DescriptionField({
  value,
  onChange,
  ref,
  autoFocus,
  tools,
}: {
  value: string;
  onChange: (value: string) => void;
  ref: Ref<HTMLTextAreaElement>;
  autoFocus?: boolean;
  /** What can be done with the text, beside the preview. */
  tools?: ReactNode;
}) {
  const [preview, setPreview] = useState(false);
  const box = useRef<HTMLDivElement>(null);

  // Grows with its text, up to where the window scrolls.
  // biome-ignore lint/correctness/useExhaustiveDependencies: measured anew whenever the text is another
  useLayoutEffect(() => {
    const area = box.current?.querySelector("textarea");
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(Math.max(area.scrollHeight + 2, LEAST), window.innerHeight * 0.42)}px`;
  }, [value, preview]);

  return (
    <div ref={box}>
      {preview ? (
        <section
          aria-label="Preview of the description"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a long preview is scrolled by the keyboard
          tabIndex={0}
          className="max-h-[42vh] min-h-44 overflow-y-auto rounded-md border border-line bg-surface px-3 py-2"
        >
          {value.trim() === "" ? (
            <p className="text-faint">Nothing written yet.</p>
          ) : (
            <Markdown text={value} />
          )}
        </section>
      ) : (
        <textarea
          ref={ref}
          aria-label="Description"
          dir="auto"
          placeholder="What should be built? Say how one sees that it is done."
          value={value}
          maxLength={100_000}
          // biome-ignore lint/a11y/noAutofocus: the window was opened to write
          autoFocus={autoFocus}
          onChange={(event) => onChange(event.target.value)}
          className="block w-full resize-none rounded-md border border-line-strong bg-surface px-3 py-2 text-base placeholder:text-faint focus-visible:border-ring focus-visible:outline-none focus-visible:ring-2 focus-visible:ring-ring/30"
        />
      )}
      <div className="mt-1 flex flex-wrap items-center justify-between gap-x-2 text-faint text-xs">
        <span>Markdown. Images can be pasted or dropped.</span>
        <span className="flex-1" />
        {tools}
        <button
          type="button"
          aria-pressed={preview}
          onClick={() => setPreview(!preview)}
          className="inline-flex items-center gap-1 rounded px-1.5 py-0.5 hover:bg-hover hover:text-ink"
        >
          {preview ? (
            <PencilLine aria-hidden className="size-3.5" />
          ) : (
            <Eye aria-hidden className="size-3.5" />
          )}
          {preview ? "Write" : "Preview"}
        </button>
      </div>
    </div>
  );
}
