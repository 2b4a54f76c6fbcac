import { GitBranch } from "lucide-react";
import { useId, useState } from "react";
import { cn } from "@/lib/cn";
import { branch as s } from "./strings";

/** The branch on which the card's work goes; one of its own where none is named. The rule stands below it once it is used. */
export function BranchField({
  value,
  onChange,
  error,
}: {
  value: string;
  onChange: (branch: string) => void;
  /** What the server had against it. */
  error: string | undefined;
}) {
  const id = useId();
  const [used, setUsed] = useState(false);
  const told = error !== undefined || used || value !== "";
  return (
    <>
      <label
        title={s.rule}
        className={cn(
          "inline-flex h-7 items-center gap-1.5 rounded-md border border-line px-2 text-muted text-sm focus-within:border-ring focus-within:ring-2 focus-within:ring-ring/30 hover:bg-hover",
          error !== undefined && "border-red text-red",
        )}
      >
        <GitBranch aria-hidden className="size-3.5" />
        <input
          aria-label={s.label}
          aria-invalid={error === undefined ? undefined : true}
          aria-describedby={told ? id : undefined}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          placeholder={s.label}
          value={value}
          maxLength={200}
          onFocus={() => setUsed(true)}
          onBlur={() => setUsed(false)}
          onChange={(event) => onChange(event.target.value)}
          className={cn(
            "bg-transparent outline-none placeholder:text-muted",
            value === "" ? "w-16" : "w-44 font-mono text-xs",
          )}
        />
      </label>
      {told && (
        <p
          id={id}
          role={error === undefined ? undefined : "alert"}
          className={cn("w-full text-xs", error === undefined ? "text-faint" : "text-red")}
        >
          {error === undefined ? s.rule : s.refused(error)}
        </p>
      )}
    </>
  );
}
