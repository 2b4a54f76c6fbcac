import { FitAddon } from "@xterm/addon-fit";
import { type ITheme, Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { X } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { send } from "@/api/client";
import { asApiError } from "@/api/error";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Switch } from "@/components/ui/switch";
import { useTheme } from "@/lib/theme";
import { useUnsaved } from "@/lib/unsaved";
import { t } from "@/strings";
import { connect, type Over, terminalPath } from "./connection";
import { w } from "./strings";

const READER = "guildhall.terminal.screen-reader";

/** The sixteen colours, readable on the page's own background. */
const COLOURS: Record<"light" | "dark", ITheme> = {
  light: {
    background: "#f8f8f6",
    foreground: "#1f2328",
    cursor: "#1f2328",
    cursorAccent: "#f8f8f6",
    selectionBackground: "#b6d3fb",
    black: "#24292f",
    red: "#b3232d",
    green: "#116329",
    yellow: "#7a4d00",
    blue: "#0757ba",
    magenta: "#7338c2",
    cyan: "#0f6670",
    white: "#5c646d",
    brightBlack: "#4a525b",
    brightRed: "#a0111f",
    brightGreen: "#0f5c25",
    brightYellow: "#693f00",
    brightBlue: "#0a4fa8",
    brightMagenta: "#6430ad",
    brightCyan: "#0b5a63",
    brightWhite: "#3b4148",
  },
  dark: {
    background: "#0d1212",
    foreground: "#e6e6ea",
    cursor: "#e6e6ea",
    cursorAccent: "#0d1212",
    selectionBackground: "#2f4b78",
    black: "#3b3b42",
    red: "#ff7b72",
    green: "#56d364",
    yellow: "#e3b341",
    blue: "#79b8ff",
    magenta: "#d2a8ff",
    cyan: "#56d4dd",
    white: "#d0d0d6",
    brightBlack: "#8b8b94",
    brightRed: "#ffa198",
    brightGreen: "#7ee787",
    brightYellow: "#f2cc60",
    brightBlue: "#a5d6ff",
    brightMagenta: "#e2c5ff",
    brightCyan: "#8ae6ec",
    brightWhite: "#ffffff",
  },
};

/** A terminal that is open, or was. Fills the height that it is given. */
export function Shell({
  runId,
  onAgain,
  onLeave,
}: {
  runId: string;
  onAgain: () => void;
  onLeave: () => void;
}) {
  const theme = useTheme();
  const box = useRef<HTMLDivElement>(null);
  const out = useRef<HTMLButtonElement>(null);
  const shown = useRef<Terminal>(null);
  const [ready, setReady] = useState<{ readOnly: boolean } | null>(null);
  const [over, setOver] = useState<Over | null>(null);
  const [refused, setRefused] = useState<unknown>(null);
  const [reader, setReader] = useState(() => localStorage.getItem(READER) === "on");
  const hint = useId();
  // Nobody can tell from here whether something runs; before the first key, nothing does.
  const [used, setUsed] = useState(false);
  useUnsaved(used && ready?.readOnly === false && over === null, t.unsaved.terminal);

  // biome-ignore lint/correctness/useExhaustiveDependencies: theme and mode are changed below without a new terminal.
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const terminal = new Terminal({
      fontFamily: '"JetBrains Mono Variable", ui-monospace, monospace',
      fontSize: 13,
      scrollback: 5_000,
      theme: COLOURS[theme],
      minimumContrastRatio: 4.5,
      screenReaderMode: reader,
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(element);
    fit.fit();
    shown.current = terminal;
    terminal.textarea?.setAttribute("aria-label", w.label);
    terminal.textarea?.setAttribute("aria-describedby", hint);
    // Tab belongs to the shell, so that there must be another way out.
    terminal.attachCustomKeyEventHandler((event) => {
      if (!(event.ctrlKey && event.shiftKey && event.key === "ArrowUp")) return true;
      event.preventDefault();
      if (event.type === "keydown") out.current?.focus();
      return false;
    });
    let gone = false;
    const path = terminalPath(runId, terminal.cols, terminal.rows);
    const connection = connect(path, {
      onReady: (readOnly) => {
        setReady({ readOnly });
        terminal.focus();
      },
      onOutput: (bytes, done) => terminal.write(bytes, done),
      onOver: (how, opened) => {
        if (gone) return;
        terminal.options.disableStdin = true;
        if (opened) setOver(how);
        // A browser does not say why a WebSocket was refused; the same address does.
        else void send(path).catch((error: unknown) => !gone && setRefused(error));
      },
    });
    const listeners = [
      terminal.onData((text) => {
        connection.type(text);
        setUsed(true);
      }),
      terminal.onBinary(connection.typeBytes),
      terminal.onResize(({ cols, rows }) => connection.resize(cols, rows)),
    ];
    // Behind another tab it has no size, and keeps the one that it had.
    const watch = new ResizeObserver(() => element.clientWidth > 0 && fit.fit());
    watch.observe(element);
    return () => {
      gone = true;
      watch.disconnect();
      for (const listener of listeners) listener.dispose();
      connection.close();
      terminal.dispose();
      shown.current = null;
    };
  }, [runId]);

  useEffect(() => {
    if (shown.current) shown.current.options.theme = COLOURS[theme];
  }, [theme]);
  useEffect(() => {
    if (shown.current) shown.current.options.screenReaderMode = reader;
    if (reader) localStorage.setItem(READER, "on");
    else localStorage.removeItem(READER);
  }, [reader]);

  const words = refused !== null ? null : over !== null ? w.over[over] : ready?.readOnly ? w.readOnly : null;
  return (
    <section aria-label={w.label} className="flex h-full min-h-0 flex-col">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 border-line border-b px-3 py-1.5 text-faint text-xs">
        <p role="status" className="min-w-0 flex-1 basis-60">
          {ready === null && refused === null && over === null ? w.connecting : words}
          <span id={hint} className={words === null && ready !== null ? "" : "sr-only"}>
            {w.wayOut}
          </span>
        </p>
        <Switch checked={reader} onChange={setReader} label={w.screenReader} />
        {over !== null || refused !== null ? (
          <Button size="sm" onClick={onAgain}>
            {w.again}
          </Button>
        ) : (
          <Button ref={out} size="sm" onClick={onLeave}>
            <X /> {w.close}
          </Button>
        )}
      </div>
      {refused !== null && (
        <div className="p-3">
          <FormError error={asApiError(refused)} />
        </div>
      )}
      <div
        ref={box}
        className="min-h-0 flex-1 overflow-hidden p-2"
        style={{ background: COLOURS[theme].background }}
      />
    </section>
  );
}
