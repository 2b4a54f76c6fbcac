import type { Range } from "./intraline";

/** A piece of a line that looks the same from end to end. */
export interface Piece {
  text: string;
  /** The kind of token, as the highlighter numbers them; 0 is plain. */
  token: number;
  marked: boolean;
}

/** Cuts a line where its colour or its mark changes. `tokens` is length, kind, length, kind, … */
export function paint(text: string, tokens?: readonly number[], marks: readonly Range[] = []): Piece[] {
  if (text === "") return [];
  if (marks.length === 0 && (tokens === undefined || tokens.length === 0))
    return [{ text, token: 0, marked: false }];
  const pieces: Piece[] = [];
  let at = 0;
  let mark = 0;
  const put = (to: number, token: number) => {
    while (at < to) {
      while ((marks[mark]?.[1] ?? Number.POSITIVE_INFINITY) <= at) mark += 1;
      const range = marks[mark];
      const marked = range !== undefined && range[0] <= at;
      const next = Math.min(to, range === undefined ? to : marked ? range[1] : range[0]);
      const last = pieces.at(-1);
      if (last && last.token === token && last.marked === marked) last.text += text.slice(at, next);
      else pieces.push({ text: text.slice(at, next), token, marked });
      at = next;
    }
  };
  for (let i = 0; i + 1 < (tokens?.length ?? 0); i += 2) {
    put(Math.min(text.length, at + (tokens?.[i] ?? 0)), tokens?.[i + 1] ?? 0);
  }
  put(text.length, 0);
  return pieces;
}
