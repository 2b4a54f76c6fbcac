import { useNavigate, useRouterState } from "@tanstack/react-router";
import { Fragment, type ReactNode, useEffect, useRef, useState } from "react";
import { useInRow } from "@/lib/in-row";

export interface SectionGroup {
  /** Whose they are; nothing where there is but one group. */
  title?: string;
  sections: readonly { id: string; label: string }[];
}

/** How long what is fetched late may move the section that was asked for. */
const SETTLE_MS = 5_000;
const LATE_MS = 400;
/** From the top: what is above this has been read. */
const READ = 140;

/**
 * The sections that are there, such as a list of accounts where any can be linked, and the one that is being read: the last that begins
 * above the line, or the last of all at the end of the page.
 */
function useSections(ids: string): { there: readonly string[]; current: string | undefined } {
  const [there, setThere] = useState(() => ids.split(" "));
  const [current, setCurrent] = useState<string>();
  useEffect(() => {
    const scroller = document.getElementById("content");
    if (scroller?.firstElementChild == null) return;
    let frame = 0;
    const places = () =>
      ids.split(" ").flatMap((id) => {
        const section = document.getElementById(id);
        return section === null ? [] : [{ id, top: section.getBoundingClientRect().top }];
      });
    const look = () => {
      frame = 0;
      const line = scroller.getBoundingClientRect().top + READ;
      const all = places();
      const atEnd =
        scroller.scrollTop > 0 && scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 2;
      const begun = atEnd ? all : all.filter(({ top }) => top <= line);
      setCurrent((begun.at(-1) ?? all[0])?.id);
    };
    const soon = () => {
      frame ||= requestAnimationFrame(look);
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watch = new ResizeObserver(() => {
      soon();
      // What is fetched late is not taken off the list for a moment.
      clearTimeout(timer);
      timer = setTimeout(() => setThere(places().map(({ id }) => id)), LATE_MS);
    });
    watch.observe(scroller.firstElementChild);
    scroller.addEventListener("scroll", soon, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      watch.disconnect();
      scroller.removeEventListener("scroll", soon);
    };
  }, [ids]);
  return { there, current };
}

/** Keeps the section that the address names where it was scrolled to, while what is above it still comes; until somebody scrolls. */
function useSettle(hash: string) {
  useEffect(() => {
    const content = document.getElementById("content");
    if (hash === "" || content?.firstElementChild == null) return;
    const show = () => document.getElementById(hash)?.scrollIntoView({ block: "start" });
    const watch = new ResizeObserver(show);
    watch.observe(content.firstElementChild);
    const stop = () => watch.disconnect();
    const timer = setTimeout(stop, SETTLE_MS);
    const moves = ["wheel", "touchstart", "pointerdown", "keydown"] as const;
    for (const move of moves) content.addEventListener(move, stop, { once: true, passive: true });
    return () => {
      clearTimeout(timer);
      stop();
      for (const move of moves) content.removeEventListener(move, stop);
    };
  }, [hash]);
}

/** A long page with a list of its sections, which stays in sight: beside them, or above them where there is no room. */
export function Indexed({
  label,
  groups,
  children,
}: {
  label: string;
  groups: readonly SectionGroup[];
  children: ReactNode;
}) {
  const navigate = useNavigate();
  const row = useRef<HTMLElement>(null);
  const hash = useRouterState({ select: (state) => state.location.hash });
  const { there, current } = useSections(
    groups.flatMap((group) => group.sections.map(({ id }) => id)).join(" "),
  );
  useSettle(hash);
  useInRow(row, "[aria-current]", current);
  return (
    <div className="xl:grid xl:grid-cols-[10.5rem_minmax(0,48rem)] xl:gap-x-12">
      <nav
        ref={row}
        aria-label={label}
        className="scroll-none sticky top-0 z-20 -mx-4 mb-6 flex items-center gap-1 overflow-x-auto border-line border-b bg-canvas px-4 py-1.5 sm:-mx-8 sm:px-8 xl:top-6 xl:mx-0 xl:mb-0 xl:max-h-[calc(100dvh-5rem)] xl:flex-col xl:items-stretch xl:self-start xl:overflow-y-auto xl:border-0 xl:p-0 short:max-xl:static"
      >
        {groups.map((group) => (
          <Fragment key={group.title ?? ""}>
            {group.title && (
              <p className="shrink-0 px-2 text-faint text-xs not-first:ml-3 xl:pb-1 xl:not-first:mt-4 xl:not-first:ml-0">
                {group.title}
              </p>
            )}
            {group.sections
              .filter(({ id }) => there.includes(id))
              .map(({ id, label: name }) => (
                <a
                  key={id}
                  href={`#${id}`}
                  aria-current={current === id ? "location" : undefined}
                  onClick={(event) => {
                    event.preventDefault();
                    void navigate({ to: ".", hash: id, replace: true });
                    document.getElementById(id)?.scrollIntoView({ block: "start" });
                  }}
                  className="-outline-offset-2 flex h-8 shrink-0 items-center rounded-md px-2 text-muted text-sm hover:bg-hover hover:text-ink aria-[current=location]:bg-hover aria-[current=location]:font-medium aria-[current=location]:text-ink"
                >
                  {name}
                </a>
              ))}
          </Fragment>
        ))}
      </nav>
      <div className="min-w-0 max-w-3xl [&_section[id]]:scroll-mt-14 xl:[&_section[id]]:scroll-mt-4">
        {children}
      </div>
    </div>
  );
}
