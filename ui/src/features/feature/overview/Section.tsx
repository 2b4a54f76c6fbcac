import { type ReactNode, use, useId } from "react";
import { Level } from "../level";

/** A titled part of the overview. */
export function Section({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  const Heading = use(Level);
  return (
    <section aria-labelledby={id} className="min-w-0">
      <Heading id={id} className="mb-2 font-medium text-faint text-xs">
        {title}
      </Heading>
      {children}
    </section>
  );
}
