import { LoaderCircle, Search, X } from "lucide-react";
import { type KeyboardEvent, type Ref, useEffect, useRef, useState } from "react";
import { Kbd } from "@/components/ui/kbd";
import { words } from "./strings";

/** Typing settles for so long before it is searched for. */
const SETTLED_MS = 150;

/** Searches while one types. */
export function SearchField({
  ref,
  value,
  busy,
  onChange,
  onDown,
  onEnter,
}: {
  ref: Ref<HTMLInputElement>;
  value: string;
  busy: boolean;
  onChange: (value: string) => void;
  /** Goes to what was found. */
  onDown: () => void;
  /** Opens the first that was found. */
  onEnter: () => void;
}) {
  const [text, setText] = useState(value);
  // What was asked for last; another value comes from elsewhere, such as the browser's way back.
  const asked = useRef(value);
  const latest = useRef(onChange);
  useEffect(() => {
    latest.current = onChange;
  });
  useEffect(() => {
    if (value === asked.current) return;
    asked.current = value;
    setText(value);
  }, [value]);
  const ask = (next: string) => {
    if (next.trim() === asked.current.trim()) return;
    asked.current = next.trim();
    latest.current(next.trim());
  };
  const later = useRef(ask);
  useEffect(() => {
    later.current = ask;
  });
  useEffect(() => {
    const timer = setTimeout(() => later.current(text), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [text]);

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "ArrowDown") onDown();
    else if (event.key === "Enter") {
      // What is shown answers what was asked; a press that comes sooner asks first.
      if (text.trim() !== asked.current.trim()) ask(text);
      else onEnter();
    } else if (event.key === "Escape" && text !== "") {
      setText("");
      ask("");
    } else return;
    event.preventDefault();
  };
  return (
    <div className="relative">
      {busy ? (
        <LoaderCircle aria-hidden className="absolute top-2.5 left-3 size-4 animate-spin-slow text-faint" />
      ) : (
        <Search aria-hidden className="absolute top-2.5 left-3 size-4 text-faint" />
      )}
      <input
        ref={ref}
        type="search"
        aria-label={words.search}
        aria-keyshortcuts="/"
        placeholder={words.search}
        value={text}
        maxLength={500}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
        className="h-9 w-full rounded-md border border-line-strong bg-surface pr-9 pl-9 text-sm placeholder:text-faint focus-visible:border-ring focus-visible:outline-none focus-visible:ring-2 focus-visible:ring-ring/30 [&::-webkit-search-cancel-button]:hidden"
      />
      <span className="absolute top-1.5 right-1.5 flex size-6 items-center justify-center">
        {text === "" ? (
          <Kbd>/</Kbd>
        ) : (
          <button
            type="button"
            aria-label={words.clear}
            onClick={() => {
              setText("");
              ask("");
            }}
            className="flex size-6 items-center justify-center rounded text-faint hover:bg-hover hover:text-ink"
          >
            <X aria-hidden className="size-3.5" />
          </button>
        )}
      </span>
    </div>
  );
}
