import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { ApiError } from "@/api/error";
import { t } from "@/strings";
import { FormError } from "./form-error";
import { Section } from "./page";
import { ErrorState } from "./state";
import { Button } from "./ui/button";
import { Skeleton } from "./ui/skeleton";

/** A part of a view for settings that are fetched first. */
export function SettingsSection<T>({
  id,
  title,
  lead,
  settings,
  children,
}: {
  id: string;
  title: string;
  lead: string;
  settings: UseQueryResult<T>;
  children: (data: T) => ReactNode;
}) {
  return (
    <Section id={id} title={title} lead={lead}>
      {settings.data !== undefined ? (
        children(settings.data)
      ) : settings.isError ? (
        <ErrorState error={settings.error} onRetry={() => void settings.refetch()} className="py-6" />
      ) : (
        <Skeleton className="h-72 rounded-xl" />
      )}
    </Section>
  );
}

/** A form of figures, which is saved as a whole when all of them can be and one has changed. */
export function FiguresForm({
  problem,
  valid,
  changed,
  busy,
  onSave,
  children,
}: {
  problem: ApiError | null;
  valid: boolean;
  changed: boolean;
  busy: boolean;
  onSave: () => void;
  children: ReactNode;
}) {
  return (
    <form
      className="flex flex-col gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        if (valid) onSave();
      }}
    >
      {problem && problem.fields.length === 0 && <FormError error={problem} />}
      {children}
      <div>
        <Button type="submit" busy={busy} disabled={!valid || !changed}>
          {t.common.save}
        </Button>
      </div>
    </form>
  );
}

/** A whole number of at most so many digits, as it was written; nothing for what is none. */
export function wholeOf(text: string, digits: number): number | null {
  const trimmed = text.trim();
  return /^\d+$/.test(trimmed) && trimmed.length <= digits ? Number(trimmed) : null;
}
