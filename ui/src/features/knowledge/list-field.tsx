import { X } from "lucide-react";
import { type KeyboardEvent, useId, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { Field, Input } from "@/components/ui/input";
import { announce } from "@/lib/announce";
import { words } from "./strings";

/** File patterns, parted by commas: those within braces belong to a pattern. */
export function patternsOf(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const sign of text) {
    if (sign === "{") depth += 1;
    if (sign === "}") depth = Math.max(0, depth - 1);
    if (sign === "," && depth === 0) parts.push("");
    else parts.push((parts.pop() ?? "") + sign);
  }
  return parts;
}

/** Several short words, such as tags. Enter or a comma adds what was typed; Backspace in the empty field takes the last away. */
export function ListField({
  label,
  help,
  error,
  placeholder,
  value,
  onChange,
  known = [],
  tidy = (entry) => entry.trim(),
  parts = (text) => text.split(","),
}: {
  label: string;
  help?: string;
  error?: string | undefined;
  placeholder?: string;
  value: readonly string[];
  onChange: (value: string[]) => void;
  /** Offered while one types. */
  known?: readonly string[];
  /** How an entry is written. */
  tidy?: (entry: string) => string;
  /** How a text is taken apart into entries. */
  parts?: (text: string) => string[];
}) {
  const [text, setText] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const listId = useId();
  const add = (typed: string) => {
    const more = parts(typed)
      .map(tidy)
      .filter((entry, at, all) => entry !== "" && !value.includes(entry) && all.indexOf(entry) === at);
    if (more.length > 0) onChange([...value, ...more]);
    setText("");
  };
  const remove = (entry: string) => {
    onChange(value.filter((other) => other !== entry));
    announce(words.form.removed(entry));
    input.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) {
      if (text.trim() === "") return;
      // Whoever saves with it would not have the word yet: it is told of the key once it has.
      event.preventDefault();
      event.stopPropagation();
      flushSync(() => add(text));
      const { key, metaKey, ctrlKey } = event;
      event.currentTarget.dispatchEvent(
        new KeyboardEvent("keydown", { key, metaKey, ctrlKey, bubbles: true, cancelable: true }),
      );
    } else if (event.key === "Enter" || event.key === ",") {
      if (event.key === "Enter" && text.trim() === "") return;
      // A comma within an entry is a part of it.
      if (event.key === "," && parts(`${text},`).at(-1) !== "") return;
      event.preventDefault();
      add(text);
    } else if (event.key === "Backspace" && text === "" && value.length > 0) {
      remove(value.at(-1) ?? "");
    }
  };
  return (
    <Field label={label} help={help} error={error} optional>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a click beside the words goes to the field, which has the focus by itself */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard reaches the field without it */}
      <div
        onClick={(event) => event.target === event.currentTarget && input.current?.focus()}
        className="flex min-h-9 w-full flex-wrap items-center gap-1 rounded-md border border-line-strong bg-surface px-1.5 py-1 text-sm has-[input:focus-visible]:border-ring has-[input:focus-visible]:ring-2 has-[input:focus-visible]:ring-ring/30"
      >
        {value.map((entry) => (
          <span
            key={entry}
            className="inline-flex max-w-full items-center gap-0.5 rounded-full bg-grey-soft py-0.5 pr-0.5 pl-2 text-muted text-xs"
          >
            <span className="truncate">{entry}</span>
            <button
              type="button"
              aria-label={words.form.remove(entry)}
              onClick={() => remove(entry)}
              className="flex size-5 shrink-0 items-center justify-center rounded-full hover:bg-hover hover:text-ink"
            >
              <X aria-hidden className="size-3" />
            </button>
          </span>
        ))}
        <Input
          ref={input}
          {...(known.length > 0 ? { list: listId } : {})}
          value={text}
          {...(value.length === 0 && placeholder ? { placeholder } : {})}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
          onBlur={() => add(text)}
          autoComplete="off"
          className="h-6 w-auto min-w-24 flex-1 border-0 bg-transparent px-1 focus-visible:ring-0"
        />
      </div>
      {known.length > 0 && (
        <datalist id={listId}>
          {known
            .filter((entry) => !value.includes(entry))
            .map((entry) => (
              <option key={entry} value={entry} />
            ))}
        </datalist>
      )}
    </Field>
  );
}
