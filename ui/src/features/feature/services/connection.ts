import type { TerminalNotice } from "@/api/types";

/** Bytes after which the server hears that they are shown. */
const TOLD = 16 * 1024;

export type Over = "ended" | "idle" | "needed" | "session" | "lost" | "closed";

/** Why a terminal's connection ended, by its close code. */
export function overOf(code: number): Over {
  switch (code) {
    case 1000:
      return "closed";
    case 4000:
      return "ended";
    case 4401:
      return "session";
    case 4408:
      return "idle";
    case 4423:
      return "needed";
    default:
      return "lost";
  }
}

export interface Told {
  onReady: (readOnly: boolean) => void;
  /** Shows bytes, and calls back when that is done. */
  onOutput: (bytes: Uint8Array, shown: () => void) => void;
  /** `opened`: whether there had been a terminal at all. */
  onOver: (over: Over, opened: boolean) => void;
}

export const terminalPath = (runId: string, columns: number, rows: number) =>
  `/api/runs/${runId}/terminal?columns=${columns}&rows=${rows}`;

/** A connection to a terminal. The server sends no more than the page keeps up with. */
export function connect(path: string, told: Told) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const encoder = new TextEncoder();
  let opened = false;
  let unsaid = 0;
  const say = (what: object) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(what));
  };
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data === "string") {
      const notice = JSON.parse(data) as TerminalNotice;
      opened = true;
      told.onReady(notice.readOnly);
      return;
    }
    const bytes = new Uint8Array(data);
    told.onOutput(bytes, () => {
      unsaid += bytes.length;
      if (unsaid < TOLD) return;
      say({ type: "shown", bytes: unsaid });
      unsaid = 0;
    });
  };
  socket.onclose = ({ code }) => told.onOver(overOf(code), opened);
  return {
    type: (text: string) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(encoder.encode(text));
    },
    typeBytes: (text: string) => {
      if (socket.readyState === WebSocket.OPEN)
        socket.send(Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
    },
    resize: (columns: number, rows: number) => say({ type: "resize", columns, rows }),
    close: () => socket.close(1000),
  };
}
