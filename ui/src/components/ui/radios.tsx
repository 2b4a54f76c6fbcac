import { useId } from "react";
import { cn } from "@/lib/cn";

/** One of a few, each with a sentence. */
export function Radios<T extends string>({
  label,
  value,
  onChange,
  options,
  showLabel,
}: {
  label: string;
  value: T;
  onChange: (value: T) => void;
  options: { value: T; label: string; help?: string; disabled?: boolean }[];
  showLabel?: boolean;
}) {
  const id = useId();
  return (
    <fieldset className="flex min-w-0 flex-col gap-1.5">
      <legend className={showLabel ? "mb-1.5 font-medium text-sm" : "sr-only"}>{label}</legend>
      {options.map((option) => (
        <label
          key={option.value}
          className={cn(
            "flex items-start gap-2.5 rounded-lg border px-3 py-2 text-sm has-focus-visible:outline-2 has-focus-visible:outline-ring",
            option.value === value ? "border-accent bg-accent-soft" : "border-line-strong",
            option.disabled ? "text-muted" : option.value !== value && "hover:bg-hover",
          )}
        >
          <input
            type="radio"
            name={id}
            value={option.value}
            checked={option.value === value}
            disabled={option.disabled ?? false}
            onChange={() => onChange(option.value)}
            aria-labelledby={`${id}-${option.value}`}
            {...(option.help ? { "aria-describedby": `${id}-${option.value}-help` } : {})}
            className="mt-0.5 size-4 shrink-0 accent-(--accent)"
          />
          <span className="min-w-0">
            <span id={`${id}-${option.value}`} className="font-medium">
              {option.label}
            </span>
            {option.help && (
              <span id={`${id}-${option.value}-help`} className="block text-muted text-xs">
                {option.help}
              </span>
            )}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
