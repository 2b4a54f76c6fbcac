/** What the page asks of the highlighter's worker. */
export interface Request {
  id: number;
  language: string;
  /** The language's grammars, the first time that it is asked for. */
  grammars?: readonly object[];
  text: string;
}
export interface Answer {
  id: number;
  /** For each line its tokens as length, kind, length, kind, …; nothing when it could not be done. */
  lines: number[][] | null;
}
