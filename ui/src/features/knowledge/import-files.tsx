import { FileText, FileX2, X } from "lucide-react";
import { type RefObject, useRef } from "react";
import { Button } from "@/components/ui/button";
import { announce } from "@/lib/announce";
import type { Dropped } from "./archive";
import type { FaultyFile } from "./importing";
import { words } from "./strings";

const m = words.move;
/** Rows at most; of more files, the others are counted. */
const SHOWN = 200;

/** What was chosen for an import, the faulty first; each can be taken off. */
export function ImportFiles({
  files,
  faulty,
  busy,
  whenNone,
  onRemove,
}: {
  files: readonly Dropped[];
  faulty: readonly FaultyFile[];
  busy: boolean;
  /** What gets the focus when the last one was taken off. */
  whenNone: RefObject<HTMLElement | null>;
  onRemove: (file: Dropped) => void;
}) {
  const list = useRef<HTMLUListElement>(null);
  if (files.length === 0) return null;
  const why = new Map(faulty.map((one) => [one.file, one.why]));
  const rows = [...files.filter((file) => why.has(file)), ...files.filter((file) => !why.has(file))];
  const remove = (file: Dropped, at: number) => {
    onRemove(file);
    announce(m.takenOff(file.name));
    // The focus goes on to the row that comes into this one's place.
    requestAnimationFrame(() => {
      const buttons = list.current?.querySelectorAll("button");
      (buttons?.[Math.min(at, buttons.length - 1)] ?? whenNone.current)?.focus();
    });
  };
  return (
    <ul
      ref={list}
      aria-label={m.files}
      className="flex max-h-60 flex-col overflow-y-auto text-sm scroll-thin"
    >
      {rows.slice(0, SHOWN).map((file, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: two files may have the same name
        <li key={at} className="flex min-w-0 items-start gap-2 py-0.5">
          {why.has(file) ? (
            <FileX2 aria-hidden className="mt-1 size-4 shrink-0 text-red" />
          ) : (
            <FileText aria-hidden className="mt-1 size-4 shrink-0 text-faint" />
          )}
          <span className="min-w-0 flex-1 py-0.5 [overflow-wrap:anywhere]">
            {file.name}
            {why.has(file) && <span className="block text-red">{why.get(file)}</span>}
          </span>
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label={m.takeOff(file.name)}
            disabled={busy}
            onClick={() => remove(file, at)}
          >
            <X />
          </Button>
        </li>
      ))}
      {rows.length > SHOWN && <li className="text-faint">{m.andMore(rows.length - SHOWN)}</li>}
    </ul>
  );
}
