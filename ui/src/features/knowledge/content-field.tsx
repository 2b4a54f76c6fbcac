import { type Ref, useDeferredValue, useLayoutEffect, useRef } from "react";
import { Markdown } from "@/components/markdown";
import { Field, FieldTextarea } from "@/components/ui/input";
import { words } from "./strings";

/** The height that the text may have at least, in pixels. */
const LEAST = 320;

/** Markdown beside what becomes of it; one below the other where there is little room. */
export function ContentField({
  value,
  onChange,
  placeholder,
  error,
  ref,
}: {
  value: string;
  onChange: (value: string) => void;
  placeholder: string;
  error: string | undefined;
  ref?: Ref<HTMLDivElement>;
}) {
  const box = useRef<HTMLDivElement>(null);
  // Typing goes first while a long text is drawn anew.
  const shown = useDeferredValue(value);

  // Grows with its text, so that the page scrolls and not the field.
  // biome-ignore lint/correctness/useExhaustiveDependencies: measured anew whenever the text is another
  useLayoutEffect(() => {
    const area = box.current?.querySelector("textarea");
    if (!area) return;
    // The place in the page stays while the field is measured.
    const scroller = area.closest("main");
    const top = scroller?.scrollTop ?? 0;
    area.style.height = "auto";
    area.style.height = `${Math.max(area.scrollHeight + 2, LEAST)}px`;
    if (scroller) scroller.scrollTop = top;
  }, [value]);

  return (
    <div ref={ref} className="grid gap-4 lg:grid-cols-2">
      <div ref={box} className="min-w-0">
        <Field label={words.form.content} help={words.form.contentHelp} error={error}>
          <FieldTextarea
            value={value}
            maxLength={100_000}
            placeholder={placeholder}
            onChange={(event) => onChange(event.target.value)}
            className="min-h-80 resize-none overflow-hidden font-mono text-sm"
          />
        </Field>
      </div>
      <section aria-label={words.form.preview} className="flex min-w-0 flex-col gap-1.5">
        <h2 className="font-medium text-ink text-sm">{words.form.preview}</h2>
        <div className="min-h-40 flex-1 rounded-md border border-line bg-surface px-4 py-3 lg:min-h-80">
          {shown.trim() === "" ? (
            <p className="text-faint text-sm">{words.form.previewEmpty}</p>
          ) : (
            <Markdown text={shown} />
          )}
        </div>
      </section>
    </div>
  );
}
