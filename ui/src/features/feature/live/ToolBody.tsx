import { useMemo } from "react";
import { Markdown } from "@/components/markdown";
import type { LiveStream } from "@/live/output";
import { useTokens } from "../code/highlight";
import { CodeText } from "../code/Line";
import { languageOf } from "../code/languages";
import { s } from "../strings";
import { MiniDiff } from "./MiniDiff";
import { TaskList } from "./Plan";
import { Terminal } from "./Terminal";
import type { Item } from "./timeline";
import { args, commandEnd, linesOf, numberedLines } from "./tools";

/** What lies behind a tool call: what was asked, and what came back. */
export function ToolBody({
  item,
  live,
}: {
  item: Extract<Item, { kind: "tool" }>;
  live: LiveStream | undefined;
}) {
  const { input, output, tool } = item;
  const failed = item.state === "failed";
  if (typeof input === "string") {
    return (
      <>
        <p className="mb-1 text-red text-xs">{s.live.malformed}</p>
        <Terminal text={input} label={s.live.input} className="mb-2" />
        <Answer output={output} />
      </>
    );
  }
  switch (tool) {
    case "bash":
      return <Command command={args.command(input)} output={output} live={live} />;
    case "read": {
      if (failed || output === null) return <Answer output={output} />;
      const { first, lines, notes } = numberedLines(output);
      if (lines.length === 0) return <Answer output={output} />;
      return (
        <>
          <FileText path={args.path(input)} lines={lines} first={first} />
          {notes.map((note) => (
            <p key={note} className="mt-1 text-faint text-xs">
              {note}
            </p>
          ))}
        </>
      );
    }
    case "write":
      return (
        <>
          <FileText path={args.path(input)} lines={linesOf(args.content(input))} first={1} />
          {failed && <Answer output={output} className="mt-2" />}
        </>
      );
    case "edit":
      return (
        <>
          <MiniDiff path={args.path(input)} before={args.before(input)} after={args.after(input)} />
          {failed && <Answer output={output} className="mt-2" />}
        </>
      );
    case "plan": {
      const tasks = args.tasks(input);
      return tasks.length === 0 || failed ? <Answer output={output} /> : <TaskList tasks={tasks} />;
    }
    case "propose_plan": {
      if (failed) return <Answer output={output} />;
      return (
        <>
          <Markdown text={args.text(input)} className="text-sm" />
          <TaskList tasks={args.tasks(input)} className="mt-2" />
        </>
      );
    }
    case "request_changes":
      return failed ? (
        <Answer output={output} />
      ) : (
        <Markdown text={args.changes(input)} className="text-sm" />
      );
    case "update_tasks":
    case "glob":
    case "grep":
      return <Answer output={output} />;
    default:
      return (
        <>
          {input !== null && (
            <Terminal text={JSON.stringify(input, null, 2)} label={s.live.input} className="mb-2" />
          )}
          <Answer output={output} />
        </>
      );
  }
}

function Answer({ output, className }: { output: string | null; className?: string }) {
  if (output === null) return null;
  if (output.trim() === "") return <p className="text-faint text-xs">{s.live.noOutput}</p>;
  return <Terminal text={output} {...(className === undefined ? {} : { className })} />;
}

function Command({
  command,
  output,
  live,
}: {
  command: string;
  output: string | null;
  live: LiveStream | undefined;
}) {
  const end = output === null ? null : commandEnd(output);
  const text = end === null ? (live?.text ?? "") : end.output;
  const tokens = useTokens("shellscript", command);
  const lines = command.split("\n");
  return (
    <>
      {lines.length > 1 || command.length > 60 ? (
        <pre className="mb-1.5 whitespace-pre-wrap font-mono text-xs leading-[1.125rem] [overflow-wrap:anywhere]">
          {lines.map((line, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is what stands at its place.
            <div key={at} className="min-h-[1.125rem]">
              <CodeText text={line} tokens={tokens?.[at]} />
            </div>
          ))}
        </pre>
      ) : null}
      {text.trim() === "" ? (
        end !== null && <p className="text-faint text-xs">{s.live.noOutput}</p>
      ) : (
        <Terminal text={text} live={end === null} missing={end === null && (live?.missing ?? 0) > 0} />
      )}
    </>
  );
}

/** A file, or a part of one, with its colours and line numbers. */
function FileText({ path, lines, first }: { path: string; lines: string[]; first: number }) {
  const text = useMemo(() => lines.join("\n"), [lines]);
  const tokens = useTokens(languageOf(path, first === 1 ? lines[0] : ""), text);
  const width = `${String(first + lines.length).length + 1}ch`;
  return (
    <section
      aria-label={path}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
      tabIndex={0}
      className="-outline-offset-2 max-h-96 overflow-auto rounded-lg border border-line bg-sunken py-2 font-mono text-xs leading-[1.125rem] scroll-thin"
    >
      <div className="w-max min-w-full">
        {lines.map((line, at) => (
          <div
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is what stands at its place.
            key={at}
            className="flex min-h-[1.125rem] pr-3"
            style={{ contentVisibility: "auto", containIntrinsicSize: "auto 18px" }}
          >
            <span
              aria-hidden
              className="num mr-3 shrink-0 select-none pl-3 text-right text-faint"
              style={{ minWidth: `calc(${width} + 0.75rem)` }}
            >
              {first + at}
            </span>
            <span className="whitespace-pre">
              <CodeText text={line} tokens={tokens?.[at]} />
            </span>
          </div>
        ))}
      </div>
    </section>
  );
}
