import type { ReactNode } from "react";

/** How the head of a column looks. */
export const headCell = "px-3 py-2 font-medium text-faint text-xs";

/** A table on a card of its own, which is scrolled sideways where it is too wide. */
export function TableCard({
  label,
  caption = label,
  children,
}: {
  label: string;
  caption?: string;
  children: ReactNode;
}) {
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
      tabIndex={0}
      className="overflow-x-auto rounded-xl border border-line bg-surface shadow-card scroll-thin"
    >
      <table className="w-full border-collapse text-sm">
        <caption className="sr-only">{caption}</caption>
        {children}
      </table>
    </section>
  );
}
