import { Switch as Base } from "@base-ui/react/switch";
import { type ReactNode, useId } from "react";

/** On or off, with its label and a word of help. */
export function Switch({
  checked,
  onChange,
  label,
  help,
  disabled,
}: {
  checked: boolean;
  onChange: (checked: boolean) => void;
  label: ReactNode;
  help?: ReactNode;
  disabled?: boolean;
}) {
  const id = useId();
  return (
    <div className="flex items-start gap-2.5 text-sm">
      <Base.Root
        checked={checked}
        onCheckedChange={(next) => onChange(next)}
        disabled={disabled ?? false}
        aria-labelledby={`${id}-label`}
        {...(help ? { "aria-describedby": `${id}-help` } : {})}
        className="mt-0.5 flex h-4.5 w-8 shrink-0 rounded-full border border-line-strong bg-sunken p-px transition-colors data-checked:border-accent data-checked:bg-accent data-disabled:opacity-50"
      >
        <Base.Thumb className="aspect-square h-full rounded-full bg-faint shadow-card transition-transform duration-150 data-checked:translate-x-3.5 data-checked:bg-accent-ink" />
      </Base.Root>
      <span>
        <span id={`${id}-label`} className="font-medium">
          {label}
        </span>
        {help && (
          <span id={`${id}-help`} className="block text-faint text-xs">
            {help}
          </span>
        )}
      </span>
    </div>
  );
}
