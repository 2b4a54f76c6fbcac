import type { ReactNode } from "react";
import { cn } from "@/lib/cn";
import { useTitle } from "@/lib/title";

/** A view with a heading, which scrolls as a whole. */
export function Page({
  title,
  lead,
  actions,
  width = "md",
  children,
}: {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  width?: "sm" | "md" | "lg";
  children: ReactNode;
}) {
  useTitle(title);
  return (
    <main id="content" tabIndex={-1} className="relative h-full overflow-y-auto outline-none scroll-thin">
      <div
        className={cn(
          "mx-auto px-4 pt-6 pb-16 sm:px-8 sm:pt-9",
          width === "sm" && "max-w-3xl",
          width === "md" && "max-w-5xl",
          width === "lg" && "max-w-7xl",
        )}
      >
        <header className="mb-6 flex flex-wrap items-start gap-x-4 gap-y-3">
          <div className="min-w-0 flex-1 basis-44">
            <h1 className="font-semibold text-2xl tracking-tight [overflow-wrap:anywhere]">{title}</h1>
            {lead && <p className="mt-0.5 text-muted text-sm">{lead}</p>}
          </div>
          {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
        </header>
        <div>{children}</div>
      </div>
    </main>
  );
}

/** A part of a view of forms. */
export function Section({
  title,
  lead,
  children,
  id,
}: {
  title: string;
  lead?: ReactNode;
  children: ReactNode;
  id?: string;
}) {
  return (
    <section
      aria-labelledby={id ? `${id}-title` : undefined}
      id={id}
      className="border-line border-t py-7 first:border-0 first:pt-0"
    >
      <div className="mb-4">
        <h2
          id={id ? `${id}-title` : undefined}
          // The focus may come here from what is gone.
          tabIndex={-1}
          className="font-semibold text-lg outline-none"
        >
          {title}
        </h2>
        {lead && <p className="mt-0.5 text-muted text-sm">{lead}</p>}
      </div>
      {children}
    </section>
  );
}
