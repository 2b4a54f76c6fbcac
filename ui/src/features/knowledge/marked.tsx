import type { Snippet } from "./types";

/** A part of a text, as pieces that are marked and such that are not. */
export function markedPieces({ text, marks }: Snippet): { text: string; marked: boolean; from: number }[] {
  const all: { text: string; marked: boolean; from: number }[] = [];
  let at = 0;
  for (const { from, to } of marks) {
    if (from < at || to <= from || to > text.length) continue;
    if (from > at) all.push({ text: text.slice(at, from), marked: false, from: at });
    all.push({ text: text.slice(from, to), marked: true, from });
    at = to;
  }
  if (at < text.length) all.push({ text: text.slice(at), marked: false, from: at });
  return all;
}

/** Where words of the search stand in a text. */
export function Marked({ snippet }: { snippet: Snippet }) {
  return markedPieces(snippet).map((piece) =>
    piece.marked ? (
      <mark key={piece.from} className="rounded-xs bg-amber-soft font-medium text-amber">
        {piece.text}
      </mark>
    ) : (
      <span key={piece.from}>{piece.text}</span>
    ),
  );
}
