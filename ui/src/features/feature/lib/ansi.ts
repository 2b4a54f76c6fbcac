/** How a piece of terminal output looks. Colours are 0–15 by name, or a CSS colour. */
export interface Look {
  fg?: number | string;
  bg?: number | string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  strike?: boolean;
  inverse?: boolean;
}
export interface Span {
  text: string;
  look: Look;
}
export interface TerminalLine {
  /** The line without its colours. */
  text: string;
  spans: Span[];
}

const ESC = "\u001b";
// CSI … letter, OSC … BEL or ST, and the escapes of two characters.
const SEQUENCE = new RegExp(
  `${ESC}\\[([0-9;:?<=>]*)[ -/]*([@-~])|${ESC}\\][^\\u0007${ESC}]*(?:\\u0007|${ESC}\\\\)?|${ESC}[ -/]*[0-~]?|[\\u0000-\\u0007\\u000b\\u000c\\u000e-\\u001a\\u007f]`,
  "g",
);

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;

/** Reads a terminal's output: colours are kept, every other control sequence is left out; `\r` begins a line anew. */
export function parseTerminal(output: string): TerminalLine[] {
  let look: Look = {};
  const lines = output.split("\n");
  if (lines.length > 1 && lines.at(-1) === "") lines.pop();
  return lines.map((raw) => {
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    if (!CONTROL.test(line)) {
      return { text: line, spans: line === "" ? [] : [{ text: line, look }] };
    }
    const cells = new Cells();
    let at = 0;
    for (const match of line.matchAll(SEQUENCE)) {
      cells.write(line.slice(at, match.index), look);
      at = match.index + match[0].length;
      if (match[2] === "m") look = after(look, match[1] ?? "");
      else if (match[2] === "K" && (match[1] === "" || match[1] === "0")) cells.cut();
      else if (match[2] === "K" || match[2] === "G") cells.home(match[2] === "K");
    }
    cells.write(line.slice(at), look);
    const spans = cells.spans();
    return { text: spans.map((span) => span.text).join(""), spans };
  });
}

/** One line of a screen, written over from the left whenever the cursor goes home. */
class Cells {
  private chars: string[] = [];
  private looks: Look[] = [];
  private column = 0;

  write(text: string, look: Look) {
    for (const char of text) {
      if (char === "\r") this.column = 0;
      else if (char === "\b") this.column = Math.max(0, this.column - 1);
      else {
        while (this.chars.length < this.column) this.put(this.chars.length, " ", {});
        this.put(this.column, char, look);
        this.column += 1;
      }
    }
  }

  private put(at: number, char: string, look: Look) {
    this.chars[at] = char;
    this.looks[at] = look;
  }

  cut() {
    this.chars.length = Math.min(this.chars.length, this.column);
    this.looks.length = this.chars.length;
  }

  home(clear: boolean) {
    if (clear) {
      this.chars = [];
      this.looks = [];
    } else this.column = 0;
  }

  spans(): Span[] {
    const spans: Span[] = [];
    this.chars.forEach((char, at) => {
      const look = this.looks[at] ?? {};
      const last = spans.at(-1);
      if (last?.look === look) last.text += char;
      else spans.push({ text: char, look });
    });
    return spans;
  }
}

/** The look after a sequence `ESC [ codes m`. */
function after(before: Look, codes: string): Look {
  let look: Look = { ...before };
  const list = codes.split(/[;:]/).map((code) => (code === "" ? 0 : Number(code)));
  for (let i = 0; i < list.length; i += 1) {
    const code = list[i] ?? 0;
    if (code === 0) look = {};
    else if (code === 1) look.bold = true;
    else if (code === 2) look.dim = true;
    else if (code === 3) look.italic = true;
    else if (code === 4) look.underline = true;
    else if (code === 7) look.inverse = true;
    else if (code === 9) look.strike = true;
    else if (code === 22) look = without(look, "bold", "dim");
    else if (code === 23) look = without(look, "italic");
    else if (code === 24) look = without(look, "underline");
    else if (code === 27) look = without(look, "inverse");
    else if (code === 29) look = without(look, "strike");
    else if (code >= 30 && code <= 37) look.fg = code - 30;
    else if (code >= 90 && code <= 97) look.fg = code - 90 + 8;
    else if (code >= 40 && code <= 47) look.bg = code - 40;
    else if (code >= 100 && code <= 107) look.bg = code - 100 + 8;
    else if (code === 39) look = without(look, "fg");
    else if (code === 49) look = without(look, "bg");
    else if (code === 38 || code === 48) {
      const side = code === 38 ? "fg" : "bg";
      if (list[i + 1] === 5) {
        look[side] = indexed(list[i + 2] ?? 0);
        i += 2;
      } else if (list[i + 1] === 2) {
        const [r, g, b] = [list[i + 2] ?? 0, list[i + 3] ?? 0, list[i + 4] ?? 0];
        look[side] = `rgb(${r} ${g} ${b})`;
        i += 4;
      }
    }
  }
  return look;
}

function without(look: Look, ...names: (keyof Look)[]): Look {
  const rest = { ...look };
  for (const name of names) delete rest[name];
  return rest;
}

/** A colour of the 256: the 16 named ones, a cube of 6 × 6 × 6, and 24 greys. */
function indexed(n: number): number | string {
  if (n < 16) return n;
  if (n >= 232) {
    const grey = 8 + (n - 232) * 10;
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const level = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  const cube = n - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}
