import { type ReactNode, useId } from "react";
import { cn } from "@/lib/cn";

/** A choice between a few, side by side. */
export function Segments<T extends string>({
  label,
  value,
  onChange,
  options,
  className,
}: {
  label: string;
  value: T;
  onChange: (value: T) => void;
  options: readonly { value: T; label: ReactNode; count?: number }[];
  className?: string;
}) {
  const name = useId();
  return (
    <fieldset className={cn("inline-flex rounded-lg border border-line bg-sunken p-0.5 text-sm", className)}>
      <legend className="sr-only">{label}</legend>
      {options.map((option) => (
        <label
          key={option.value}
          className={cn(
            "cursor-pointer rounded-md px-3 py-1 has-focus-visible:outline-2 has-focus-visible:outline-ring pointer-coarse:py-2",
            option.value === value ? "bg-surface font-medium shadow-card" : "text-muted hover:text-ink",
          )}
        >
          <input
            type="radio"
            name={name}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
            className="sr-only"
          />
          {option.label}
          {option.count !== undefined && option.count > 0 && (
            <span className="num ml-1.5 text-faint">{option.count}</span>
          )}
        </label>
      ))}
    </fieldset>
  );
}
