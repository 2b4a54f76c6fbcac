import { type CSSProperties, memo, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { cn } from "@/lib/cn";
import { type Look, parseTerminal, type TerminalLine } from "../lib/ansi";
import { s } from "../strings";
import { SearchBar } from "./TerminalBar";

/** Lines that are shown before the rest is asked for. */
const FIRST = 400;
/** Lines of output from which on it can be searched. */
const SEARCHABLE = 12;
/** Lines that the browser lays out together, only when they are in sight. */
const CHUNK = 100;

/** What a command printed, with its colours, its own scroll bar and a search. */
export function Terminal({
  text,
  live,
  missing,
  className,
  label = s.terminal.label,
}: {
  text: string;
  /** It still prints: the end stays in sight. */
  live?: boolean;
  missing?: boolean;
  className?: string;
  label?: string;
}) {
  const lines = useMemo(() => parseTerminal(text), [text]);
  const [all, setAll] = useState(false);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const box = useRef<HTMLElement>(null);
  const stick = useRef(true);

  const found = useMemo(() => matches(lines, query), [lines, query]);
  const current = found.length === 0 ? undefined : found[at % found.length];
  const from = all || query !== "" || lines.length <= FIRST ? 0 : lines.length - FIRST;
  const shown = from === 0 ? lines : lines.slice(from);

  // biome-ignore lint/correctness/useExhaustiveDependencies: it follows the text as it grows.
  useEffect(() => {
    const element = box.current;
    if (live && element && stick.current) element.scrollTop = element.scrollHeight;
  }, [live, text]);
  useEffect(() => {
    if (current === undefined) return;
    const line = box.current?.querySelector(`[data-line="${current.line}"]`);
    line?.scrollIntoView({ block: "nearest" });
  }, [current]);

  const go = (step: number) => setAt((now) => (now + step + found.length) % Math.max(1, found.length));

  return (
    <div className={cn("overflow-hidden rounded-lg border border-line bg-sunken", className)}>
      {lines.length >= SEARCHABLE && (
        <SearchBar
          query={query}
          onQuery={(next) => {
            setQuery(next);
            setAt(0);
          }}
          at={current === undefined ? 0 : (at % found.length) + 1}
          all={found.length}
          go={go}
          lines={lines.length}
          text={text}
        />
      )}
      <section
        ref={box}
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        onScroll={({ currentTarget: el }) => {
          stick.current = el.scrollHeight - el.scrollTop - el.clientHeight < 24;
        }}
        className="-outline-offset-2 max-h-96 overflow-auto px-3 py-2 font-mono text-xs leading-[1.125rem] scroll-thin"
      >
        {missing && <div className="text-faint italic">{s.live.cutOff}</div>}
        {from > 0 && (
          <Button variant="quiet" size="sm" className="-mx-2 font-sans" onClick={() => setAll(true)}>
            {s.terminal.all} ({s.terminal.lines(lines.length)})
          </Button>
        )}
        <Lines lines={shown} from={from} found={found} current={current} />
      </section>
    </div>
  );
}

interface Match {
  line: number;
  from: number;
  to: number;
}

function matches(lines: readonly TerminalLine[], query: string): Match[] {
  const wanted = query.toLowerCase();
  if (wanted === "") return [];
  const found: Match[] = [];
  lines.forEach((line, at) => {
    const text = line.text.toLowerCase();
    for (
      let from = text.indexOf(wanted);
      from >= 0 && found.length < 5_000;
      from = text.indexOf(wanted, from + wanted.length)
    ) {
      found.push({ line: at, from, to: from + wanted.length });
    }
  });
  return found;
}

const Lines = memo(function Lines({
  lines,
  from,
  found,
  current,
}: {
  lines: readonly TerminalLine[];
  from: number;
  found: readonly Match[];
  current: Match | undefined;
}) {
  const byLine = useMemo(() => {
    const lines = new Map<number, Match[]>();
    for (const match of found) {
      const here = lines.get(match.line);
      if (here === undefined) lines.set(match.line, [match]);
      else here.push(match);
    }
    return lines;
  }, [found]);
  const chunks: { at: number; lines: readonly TerminalLine[] }[] = [];
  for (let i = 0; i < lines.length; i += CHUNK) {
    chunks.push({ at: from + i, lines: lines.slice(i, i + CHUNK) });
  }
  return chunks.map((chunk) => (
    <div
      key={chunk.at}
      style={{
        contentVisibility: chunks.length > 2 ? "auto" : "visible",
        containIntrinsicSize: `auto ${chunk.lines.length * 18}px`,
      }}
    >
      {chunk.lines.map((line, i) => (
        <Line
          // biome-ignore lint/suspicious/noArrayIndexKey: a line is what stands at its place.
          key={i}
          line={line}
          number={chunk.at + i}
          marks={byLine.get(chunk.at + i)}
          current={current?.line === chunk.at + i ? current : undefined}
        />
      ))}
    </div>
  ));
});

const Line = memo(function Line({
  line,
  number,
  marks,
  current,
}: {
  line: TerminalLine;
  number: number;
  marks: readonly Match[] | undefined;
  current: Match | undefined;
}) {
  let at = 0;
  return (
    <div data-line={number} className="min-h-[1.125rem] whitespace-pre-wrap [overflow-wrap:anywhere]">
      {line.spans.map((span) => {
        const start = at;
        at += span.text.length;
        const style = styleOf(span.look);
        const className = classOf(span.look);
        const inner = marks === undefined ? span.text : marked(span.text, start, marks, current);
        if (className === "" && style === undefined && typeof inner === "string") return inner;
        return (
          <span key={start} className={className} style={style}>
            {inner}
          </span>
        );
      })}
    </div>
  );
});

function marked(text: string, start: number, marks: readonly Match[], current: Match | undefined) {
  const out: ReactNode[] = [];
  let at = 0;
  for (const mark of marks) {
    const from = Math.max(at, mark.from - start);
    const to = Math.min(text.length, mark.to - start);
    if (to <= from) continue;
    out.push(text.slice(at, from));
    out.push(
      <mark
        key={from}
        className={cn(
          "rounded-[2px] text-ink",
          mark === current ? "bg-accent text-accent-ink" : "bg-amber-soft ring-1 ring-amber/40",
        )}
      >
        {text.slice(from, to)}
      </mark>,
    );
    at = to;
  }
  out.push(text.slice(at));
  return out;
}

function classOf(look: Look): string {
  const fg = look.inverse ? look.bg : look.fg;
  return cn(
    typeof fg === "number" && `ansi-${fg}`,
    look.bold && "font-semibold",
    look.dim && "text-faint",
    look.italic && "italic",
    look.underline && "underline",
    look.strike && "line-through",
    look.inverse && "bg-pressed",
  );
}

function styleOf(look: Look): CSSProperties | undefined {
  const fg = look.inverse ? look.bg : look.fg;
  const bg = look.inverse ? look.fg : look.bg;
  if (typeof fg !== "string" && typeof bg !== "string") return undefined;
  return {
    ...(typeof fg === "string" ? { color: fg } : {}),
    ...(typeof bg === "string" ? { background: bg } : {}),
  };
}
