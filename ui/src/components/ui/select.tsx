import { Select as Base } from "@base-ui/react/select";
import { Check, ChevronsUpDown } from "lucide-react";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

export interface Option<T extends string> {
  value: T;
  label: string;
  icon?: ReactNode;
  /** A word beneath the label, such as why it cannot be chosen. */
  help?: string;
  disabled?: boolean;
  /** The heading below which it stands, with its neighbours of the same. */
  group?: string;
}

/** One of a few. */
export function Select<T extends string>({
  value,
  onChange,
  options,
  label,
  id,
  disabled,
  variant = "field",
  className,
  placeholder,
}: {
  value: T;
  onChange: (value: T) => void;
  options: Option<T>[];
  /** For screen readers; leave out inside a `Field`. */
  label?: string;
  id?: string;
  disabled?: boolean;
  /** `field` in forms, `chip` in tool bars. */
  variant?: "field" | "chip";
  className?: string;
  placeholder?: string;
}) {
  const chosen = options.find((option) => option.value === value);
  return (
    <Base.Root
      items={options.map(({ value, label }) => ({ value, label }))}
      value={value}
      onValueChange={(next) => next !== null && onChange(next as T)}
      {...(disabled ? { disabled } : {})}
    >
      <Base.Trigger
        aria-label={label}
        id={id}
        className={cn(
          "inline-flex select-none items-center justify-between gap-1.5 rounded-md border text-sm transition-colors data-disabled:opacity-50",
          variant === "field"
            ? "h-9 w-full border-line-strong bg-surface px-2.5 hover:border-faint/60"
            : "h-7 border-line bg-transparent px-2 text-muted hover:bg-hover hover:text-ink data-popup-open:bg-hover",
          className,
        )}
      >
        <span className="flex min-w-0 items-center gap-1.5 truncate">
          {chosen?.icon}
          <Base.Value className="truncate">{() => chosen?.label ?? placeholder ?? ""}</Base.Value>
        </span>
        <Base.Icon className="text-faint">
          <ChevronsUpDown className="size-3.5" />
        </Base.Icon>
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={4} alignItemWithTrigger={false} className="z-60 outline-none">
          <Base.Popup className="popup max-h-(--available-height) min-w-(--anchor-width) max-w-[min(26rem,92vw)] overflow-y-auto p-1 scroll-thin">
            <Base.List>
              {grouped(options).map(({ group, options }) =>
                group === undefined ? (
                  options.map((option) => <Item key={option.value} option={option} />)
                ) : (
                  <Base.Group key={group}>
                    <Base.GroupLabel className="px-2 pt-2 pb-0.5 font-medium text-faint text-xs">
                      {group}
                    </Base.GroupLabel>
                    {options.map((option) => (
                      <Item key={option.value} option={option} />
                    ))}
                  </Base.Group>
                ),
              )}
            </Base.List>
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

/** Neighbours of the same heading together. */
function grouped<T extends string>(options: Option<T>[]) {
  const groups: { group: string | undefined; options: Option<T>[] }[] = [];
  for (const option of options) {
    const last = groups.at(-1);
    if (last && last.group === option.group) last.options.push(option);
    else groups.push({ group: option.group, options: [option] });
  }
  return groups;
}

function Item<T extends string>({ option }: { option: Option<T> }) {
  return (
    <Base.Item
      value={option.value}
      disabled={option.disabled ?? false}
      className="flex cursor-default select-none items-start gap-2 rounded-md px-2 py-1.5 text-sm outline-none data-disabled:opacity-55 data-highlighted:bg-hover"
    >
      {option.icon && <span className="mt-0.5">{option.icon}</span>}
      <span className="min-w-0 flex-1">
        <Base.ItemText>{option.label}</Base.ItemText>
        {option.help && <span className="block text-faint text-xs">{option.help}</span>}
      </span>
      <span className="mt-0.5 w-4">
        <Base.ItemIndicator>
          <Check className="size-4 text-accent-text" />
        </Base.ItemIndicator>
      </span>
    </Base.Item>
  );
}
