import { type ReactNode, useId } from "react";

/** A titled part of the overview. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="min-w-0">
      <h3 id={id} className="mb-2 font-medium text-faint text-xs">
        {title}
      </h3>
      {children}
    </section>
  );
}
