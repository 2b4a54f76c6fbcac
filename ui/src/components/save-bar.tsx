import type { ReactNode } from "react";
import type { ApiError } from "@/api/error";
import { cn } from "@/lib/cn";
import { useUnsaved } from "@/lib/unsaved";
import { t } from "@/strings";
import { FormError } from "./form-error";
import { Button } from "./ui/button";

/** The foot of a form: in sight as long as something in it is not saved, which nobody leaves without being asked. */
export function SaveBar({
  changed,
  valid = true,
  busy,
  problem,
  clashes = 0,
  onTakeTheirs,
  label = t.common.save,
  variant,
}: {
  changed: boolean;
  valid?: boolean;
  busy: boolean;
  /** What the server had against it, apart from what it said of single fields. */
  problem: ApiError | null;
  /** Fields that somebody else changed, too. */
  clashes?: number;
  onTakeTheirs?: () => void;
  label?: ReactNode;
  variant?: "primary";
}) {
  useUnsaved(changed);
  return (
    <div
      className={cn(
        "flex flex-col gap-2 border-line border-t bg-canvas py-3",
        changed && "sticky bottom-0 z-10 short:static",
      )}
    >
      <FormError error={problem && problem.fields.length === 0 ? problem : null} />
      {clashes > 0 && (
        <div
          role="alert"
          className="flex flex-wrap items-center gap-2 rounded-md bg-amber-soft px-3 py-2 text-sm"
        >
          <p className="min-w-48 flex-1">{t.unsaved.clash}</p>
          <Button size="sm" onClick={onTakeTheirs}>
            {t.unsaved.theirs}
          </Button>
        </div>
      )}
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" {...(variant ? { variant } : {})} busy={busy} disabled={!valid || !changed}>
          {label}
        </Button>
        {changed && (
          <span role="status" className="text-muted text-sm">
            {t.unsaved.mark}
          </span>
        )}
      </div>
    </div>
  );
}
