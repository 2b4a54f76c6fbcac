import { createContext, type ReactNode, type RefObject, use, useEffect, useRef, useState } from "react";

/** Pixels around what is in sight within which things are there already. */
const MARGIN = 1_200;

/** The box that scrolls. */
export const ScrollBox = createContext<RefObject<HTMLElement | null>>({ current: null });

type Watch = (near: boolean) => void;
const observers = new WeakMap<
  HTMLElement,
  { observer: IntersectionObserver; watched: Map<Element, Watch> }
>();

function observe(root: HTMLElement, element: Element, watch: Watch): () => void {
  let entry = observers.get(root);
  if (entry === undefined) {
    const watched = new Map<Element, Watch>();
    const observer = new IntersectionObserver(
      (changes) => {
        for (const change of changes) watched.get(change.target)?.(change.isIntersecting);
      },
      { root, rootMargin: `${MARGIN}px 0px` },
    );
    entry = { observer, watched };
    observers.set(root, entry);
  }
  const { observer, watched } = entry;
  watched.set(element, watch);
  observer.observe(element);
  return () => {
    watched.delete(element);
    observer.unobserve(element);
  };
}

/** A part of a long page that is only there while it is near what is in sight; its room stays. */
export function Lazy({
  height,
  keep,
  children,
}: {
  /** Its height in pixels, about, until it was there once. */
  height: number;
  /** Once there, it stays. */
  keep?: boolean;
  children: ReactNode;
}) {
  const root = use(ScrollBox);
  const box = useRef<HTMLDivElement>(null);
  const known = useRef<number | null>(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (element === null || root.current === null || (near && keep)) return;
    return observe(root.current, element, (now) => {
      // What holds the focus must not go.
      if (!now && element.contains(document.activeElement)) return;
      if (!now && near) known.current = element.offsetHeight;
      setNear(now);
    });
  }, [root, near, keep]);
  return (
    <div ref={box} style={near ? undefined : { height: known.current ?? height }}>
      {near ? children : null}
    </div>
  );
}
