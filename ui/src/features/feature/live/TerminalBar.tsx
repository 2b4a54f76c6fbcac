import { Check, ChevronDown, ChevronUp, Copy, Search } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import { parseTerminal } from "../lib/ansi";
import { s } from "../strings";

/** The search of a terminal's output. */
export function SearchBar({
  query,
  onQuery,
  at,
  all,
  go,
  lines,
  text,
}: {
  query: string;
  onQuery: (query: string) => void;
  at: number;
  all: number;
  go: (step: number) => void;
  lines: number;
  text: string;
}) {
  const id = useId();
  return (
    <div className="flex h-8 items-center gap-1 border-line border-b pr-1 pl-2.5 text-faint text-xs">
      <Search aria-hidden className="size-3.5 shrink-0" />
      <label htmlFor={id} className="sr-only">
        {s.terminal.search}
      </label>
      <input
        id={id}
        value={query}
        placeholder={s.terminal.search}
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") {
            event.preventDefault();
            go(event.shiftKey ? -1 : 1);
          } else if (event.key === "Escape" && query !== "") {
            event.preventDefault();
            event.stopPropagation();
            onQuery("");
          }
        }}
        className="h-full min-w-0 flex-1 bg-transparent text-ink outline-none placeholder:text-faint"
      />
      {query === "" ? (
        <span className="num pr-1">{s.terminal.lines(lines)}</span>
      ) : (
        <>
          <span className="num pr-1" role="status">
            {s.terminal.found(at, all)}
          </span>
          <Small label={s.terminal.previous} onClick={() => go(-1)} disabled={all === 0}>
            <ChevronUp />
          </Small>
          <Small label={s.terminal.next} onClick={() => go(1)} disabled={all === 0}>
            <ChevronDown />
          </Small>
        </>
      )}
      <CopyButton
        text={() =>
          parseTerminal(text)
            .map((line) => line.text)
            .join("\n")
        }
        label={s.terminal.copy}
      />
    </div>
  );
}

function Small({
  label,
  onClick,
  disabled,
  children,
}: {
  label: string;
  onClick: () => void;
  disabled?: boolean;
  children: ReactNode;
}) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      disabled={disabled}
      onClick={onClick}
      className="rounded p-1 text-faint hover:bg-hover hover:text-ink disabled:opacity-40 [&_svg]:size-3.5"
    >
      {children}
    </button>
  );
}

/** A small button that copies a text, and says so. */
export function CopyButton({ text, label }: { text: () => string; label: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <Small
      label={copied ? s.terminal.copied : label}
      onClick={() => {
        void navigator.clipboard?.writeText(text()).then(() => {
          setCopied(true);
          setTimeout(() => setCopied(false), 1_500);
        });
      }}
    >
      {copied ? <Check /> : <Copy />}
    </Small>
  );
}
