import { type ReactNode, use, useId } from "react";
import { Level } from "../level";

/** A titled part of the overview. */
export function Section({
  title,
  action,
  children,
}: {
  title: string;
  /** What can be done with it, beside its title. */
  action?: ReactNode;
  children: ReactNode;
}) {
  const id = useId();
  const Heading = use(Level);
  return (
    <section aria-labelledby={id} className="min-w-0">
      <div className="mb-2 flex items-center justify-between gap-2">
        <Heading id={id} className="font-medium text-faint text-xs">
          {title}
        </Heading>
        {action}
      </div>
      {children}
    </section>
  );
}
