import { memo } from "react";
import type { Range } from "../lib/intraline";
import { paint } from "../lib/paint";

/** The text of one line of code, in its colours. `mark` is the class of the parts that changed. */
export const CodeText = memo(function CodeText({
  text,
  tokens,
  marks,
  mark,
}: {
  text: string;
  tokens?: readonly number[] | undefined;
  marks?: readonly Range[] | undefined;
  mark?: string;
}) {
  if (tokens === undefined && marks === undefined) return text;
  let at = 0;
  return paint(text, tokens, marks).map((piece) => {
    const key = at;
    at += piece.text.length;
    if (piece.token === 0 && !piece.marked) return piece.text;
    const kind = piece.token === 0 ? "" : `tok-${piece.token}`;
    return (
      <span key={key} className={piece.marked ? `${kind} ${mark ?? ""} rounded-[2px]` : kind}>
        {piece.text}
      </span>
    );
  });
});
