import type { UseQueryResult } from "@tanstack/react-query";
import type { ComponentProps, ReactNode } from "react";
import { cn } from "@/lib/cn";
import { Section } from "./page";
import { SaveBar } from "./save-bar";
import { ErrorState } from "./state";
import { Skeleton } from "./ui/skeleton";

/** A part of a view for settings that are fetched first. */
export function SettingsSection<T>({
  id,
  title,
  lead,
  settings,
  height,
  children,
}: {
  id: string;
  title: string;
  lead: string;
  settings: UseQueryResult<T>;
  /** As high as the form is: nothing below it moves when that comes. */
  height: string;
  children: (data: T) => ReactNode;
}) {
  return (
    <Section id={id} title={title} lead={lead}>
      {settings.data !== undefined ? (
        children(settings.data)
      ) : settings.isError ? (
        <ErrorState error={settings.error} onRetry={() => void settings.refetch()} className="py-6" />
      ) : (
        <Skeleton className={cn("rounded-xl", height)} />
      )}
    </Section>
  );
}

/** A form of figures, which can be saved when all of them can be and one has changed. */
export function FiguresForm({
  problem,
  valid,
  changed,
  busy,
  clashes,
  onTakeTheirs,
  onSave,
  children,
}: Pick<ComponentProps<typeof SaveBar>, "problem" | "changed" | "busy" | "clashes" | "onTakeTheirs"> & {
  valid: boolean;
  onSave: () => void;
  children: ReactNode;
}) {
  return (
    <form
      className="flex flex-col gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        if (valid && changed) onSave();
      }}
    >
      {children}
      <SaveBar {...{ problem, valid, changed, busy, clashes, onTakeTheirs }} />
    </form>
  );
}

/** A whole number of at most so many digits, as it was written; nothing for what is none. */
export function wholeOf(text: string, digits: number): number | null {
  const trimmed = text.trim();
  return /^\d+$/.test(trimmed) && trimmed.length <= digits ? Number(trimmed) : null;
}
