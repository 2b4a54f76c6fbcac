import { type KeyboardEvent, lazy, Suspense, useRef, useState } from "react";
import { Dialog } from "@/components/ui/dialog";
import { t } from "@/strings";
import { overlay } from "./overlay";

export const loadPaletteList = () => import("./palette-list");
const PaletteList = lazy(loadPaletteList);

/** Reaches everything by its name. */
export default function Palette() {
  const open = overlay.use() === "palette";
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => overlay.set(next ? "palette" : null)}
      title="Search and commands"
      hideTitle
    >
      {open && <PaletteBody />}
    </Dialog>
  );
}

/** The field is there at once, and what is typed in it meanwhile is not lost; what answers is fetched while nothing else is. */
function PaletteBody() {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const [count, setCount] = useState(0);
  const keys = useRef<((event: KeyboardEvent) => void) | null>(null);
  const entered = useRef(false);
  return (
    <div className="flex flex-col">
      <input
        // biome-ignore lint/a11y/noAutofocus: the palette exists to be typed into
        autoFocus
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={count > 0 ? `palette-${Math.min(active, count - 1)}` : undefined}
        aria-label={t.nav.search}
        placeholder={t.nav.search}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setActive(0);
        }}
        onKeyDown={(event) => {
          if (keys.current) keys.current(event);
          else if (event.key === "Enter") entered.current = true;
        }}
        className="h-13 border-line border-b bg-transparent px-5 pr-12 text-lg outline-none placeholder:text-faint"
      />
      <Suspense fallback={<div id="palette-list" className="h-[min(24rem,60vh)]" />}>
        <PaletteList
          text={text}
          active={active}
          onActive={setActive}
          onCount={setCount}
          keys={keys}
          entered={entered}
        />
      </Suspense>
    </div>
  );
}
