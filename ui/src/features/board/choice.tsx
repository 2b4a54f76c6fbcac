import { ChevronDown } from "lucide-react";
import type { ReactNode } from "react";
import { Menu, MenuRadio } from "@/components/ui/menu";
import { cn } from "@/lib/cn";

/** The choice that leaves everything in. */
export const ANY = "";

/** One way to narrow the board. A menu, because its script is there already for the cards. */
export function Choice({
  label,
  value,
  onChange,
  options,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  options: { value: string; label: string; icon?: ReactNode }[];
}) {
  const chosen = options.find((option) => option.value === value);
  return (
    <Menu
      align="end"
      trigger={
        <button
          type="button"
          className={cn(
            "inline-flex h-7 max-w-36 select-none @4xl:max-w-44 pointer-coarse:h-9 items-center gap-1.5 rounded-md border border-line px-2 text-muted text-sm hover:bg-hover hover:text-ink data-popup-open:bg-hover",
            value !== ANY && "border-accent/50 bg-accent-soft text-accent-text hover:text-accent-text",
          )}
        >
          <span className="sr-only">{label}: </span>
          {chosen?.icon}
          <span className="truncate">{chosen?.label ?? value}</span>
          <ChevronDown aria-hidden className="size-3.5 shrink-0 text-faint" />
        </button>
      }
    >
      <MenuRadio value={value} onChange={onChange} options={options} />
    </Menu>
  );
}
