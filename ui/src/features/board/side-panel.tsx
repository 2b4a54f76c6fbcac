import { Link } from "@tanstack/react-router";
import { Maximize2, X } from "lucide-react";
import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Tooltip } from "@/components/ui/tooltip";
import { FeaturePanel, loadFeature } from "@/features/feature-panel";
import { useBoardContext } from "./state";

export { loadFeature };

const KEY = "guildhall.panel";
const LEAST = 420;
const MOST = 1100;
const bounded = (width: number) => Math.round(Math.min(MOST, Math.max(LEAST, width)));

/** The open feature beside the board; over all of it on a narrow screen. */
export function SidePanel({ featureId, onClose }: { featureId: string; onClose: () => void }) {
  const [width, setWidth] = useState(() => bounded(Number(localStorage.getItem(KEY)) || 640));
  const { store } = useBoardContext();
  const entered = store.usePart((state) => state.entered === featureId);
  const root = useRef<HTMLElement>(null);
  useEffect(() => {
    if (!entered) return;
    store.set((state) => ({ ...state, entered: null }));
    root.current?.focus({ preventScroll: true });
  }, [entered, store]);
  const set = (next: number) => {
    setWidth(bounded(next));
    localStorage.setItem(KEY, String(bounded(next)));
  };
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (event.buttons !== 1) return;
    const right = event.currentTarget.parentElement?.getBoundingClientRect().right ?? window.innerWidth;
    set(right - event.clientX);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = event.key === "ArrowLeft" ? 32 : event.key === "ArrowRight" ? -32 : 0;
    if (step === 0) return;
    event.preventDefault();
    event.stopPropagation();
    set(width + step);
  };
  return (
    <aside
      ref={root}
      tabIndex={-1}
      aria-label="Feature"
      style={{ "--panel": `${width}px` } as React.CSSProperties}
      className="absolute inset-0 z-40 flex flex-col border-line bg-canvas outline-none lg:relative lg:inset-auto lg:w-(--panel) lg:max-w-[70%] lg:shrink-0 lg:border-l"
    >
      {/* biome-ignore lint/a11y/useSemanticElements: a separator that can be moved is no <hr> */}
      <div
        role="separator"
        aria-orientation="vertical"
        aria-label="Width of the panel"
        aria-valuenow={width}
        aria-valuemin={LEAST}
        aria-valuemax={MOST}
        tabIndex={0}
        onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
        onPointerMove={drag}
        onKeyDown={onKeyDown}
        className="absolute inset-y-0 -left-1 z-10 hidden w-2 cursor-col-resize touch-none hover:bg-accent/30 lg:block"
      />
      {/* In the row of the number and the status, which leaves room for them. */}
      <div className="absolute top-3 right-2 z-10 flex items-center gap-0.5 pointer-coarse:top-2">
        <Tooltip text="Open as a page">
          <Button
            variant="ghost"
            size="icon-sm"
            className="pointer-coarse:size-9"
            aria-label="Open as a page"
            render={<Link to="/f/$featureId" params={{ featureId }} />}
          >
            <Maximize2 />
          </Button>
        </Tooltip>
        <Tooltip text="Close" keys="esc">
          <Button
            variant="ghost"
            size="icon-sm"
            className="pointer-coarse:size-9"
            aria-label="Close the feature"
            onClick={onClose}
          >
            <X />
          </Button>
        </Tooltip>
      </div>
      <div className="h-full min-h-0 flex-1 overflow-hidden">
        <FeaturePanel featureId={featureId} layout="side" />
      </div>
    </aside>
  );
}
