import { Tabs as Base } from "@base-ui/react/tabs";
import { type ReactNode, useRef } from "react";
import { cn } from "@/lib/cn";
import { useInRow } from "@/lib/in-row";

/** Panels of which one is shown. Put `TabPanel`s inside. */
export function Tabs<T extends string>({
  value,
  onChange,
  tabs,
  children,
  className,
  listClassName,
  end,
}: {
  value: T;
  onChange: (value: T) => void;
  tabs: { value: T; label: ReactNode; badge?: ReactNode }[];
  children: ReactNode;
  className?: string;
  listClassName?: string;
  end?: ReactNode;
}) {
  const row = useRef<HTMLDivElement>(null);
  useInRow(row, "[role=tab][data-active]", value);
  return (
    <Base.Root value={value} onValueChange={(next) => onChange(next as T)} className={className}>
      <div className={cn("flex items-center border-line border-b", listClassName)}>
        <Base.List ref={row} className="relative flex min-w-0 flex-1 gap-1 overflow-x-auto scroll-none">
          {tabs.map((tab) => (
            <Base.Tab
              key={tab.value}
              value={tab.value}
              className="-outline-offset-2 flex h-9 shrink-0 select-none items-center gap-1.5 rounded-md px-2.5 text-faint text-sm transition-colors hover:text-ink data-active:font-medium data-active:text-ink"
            >
              {tab.label}
              {tab.badge}
            </Base.Tab>
          ))}
          <Base.Indicator className="absolute bottom-0 left-0 h-0.5 w-(--active-tab-width) translate-x-(--active-tab-left) rounded-full bg-accent transition-[width,translate] duration-150" />
        </Base.List>
        {end}
      </div>
      {children}
    </Base.Root>
  );
}

export function TabPanel({
  value,
  kept = false,
  className,
  children,
}: {
  value: string;
  /** It stays as it is while another is shown. */
  kept?: boolean;
  className?: string;
  children: ReactNode;
}) {
  return (
    <Base.Panel value={value} keepMounted={kept} className={cn("-outline-offset-2", className)}>
      {children}
    </Base.Panel>
  );
}
