import type { Comment } from "../lib/kept";

const LONGEST_QUOTE = 200;

/**
 * What is sent to the agent: what the member wrote, then each comment with its place and the line that it is about.
 * Empty when there is nothing to send.
 */
export function followUpMessage(text: string, comments: readonly Comment[]): string {
  const intro = text.trim();
  if (comments.length === 0) return intro;
  const parts = [intro === "" ? "Please make these changes:" : intro];
  for (const comment of ordered(comments)) {
    const place = `\`${comment.path}:${comment.line}\`${comment.side === "old" ? " (a line that was taken away)" : ""}`;
    const quote = comment.quote.trim().slice(0, LONGEST_QUOTE);
    parts.push([place, ...(quote === "" ? [] : [fenced(quote)]), comment.text.trim()].join("\n"));
  }
  return parts.join("\n\n");
}

/** In the order in which a reader meets them. */
export function ordered(comments: readonly Comment[]): Comment[] {
  return [...comments].sort(
    (a, b) =>
      (a.path < b.path ? -1 : a.path > b.path ? 1 : 0) || a.line - b.line || a.side.localeCompare(b.side),
  );
}

/** A quoted line of code, behind a fence that it does not break. */
function fenced(line: string): string {
  const longest = Math.max(2, ...(line.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${line}\n${fence}`;
}
