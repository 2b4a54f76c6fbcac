import { Menu as Base } from "@base-ui/react/menu";
import { Check } from "lucide-react";
import type { ComponentProps, ReactElement, ReactNode } from "react";
import { cn } from "@/lib/cn";
import { Keys } from "./kbd";

/** A button that opens a list of things to do. */
export function Menu({
  trigger,
  children,
  align = "start",
  side = "bottom",
  open,
  onOpenChange,
}: {
  trigger: ReactElement;
  children: ReactNode;
  align?: "start" | "center" | "end";
  side?: "top" | "bottom" | "left" | "right";
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
}) {
  return (
    <Base.Root
      modal={false}
      {...(open === undefined ? {} : { open })}
      {...(onOpenChange ? { onOpenChange: (next: boolean) => onOpenChange(next) } : {})}
    >
      <Base.Trigger render={trigger} />
      <MenuPopup align={align} side={side}>
        {children}
      </MenuPopup>
    </Base.Root>
  );
}

function MenuPopup({
  children,
  align,
  side,
}: {
  children: ReactNode;
  align: "start" | "center" | "end";
  side: "top" | "bottom" | "left" | "right";
}) {
  return (
    <Base.Portal>
      <Base.Positioner sideOffset={4} align={align} side={side} className="z-60 outline-none">
        <Base.Popup className="popup max-h-(--available-height) min-w-44 overflow-y-auto p-1 outline-none">
          {children}
        </Base.Popup>
      </Base.Positioner>
    </Base.Portal>
  );
}

const item =
  "flex cursor-default select-none items-center gap-2.5 rounded-md px-2 py-1.5 text-sm outline-none data-disabled:opacity-50 data-highlighted:bg-hover [&_svg]:size-4 [&_svg]:text-faint";

export function MenuItem({
  icon,
  shortcut,
  danger,
  className,
  children,
  ...props
}: ComponentProps<typeof Base.Item> & { icon?: ReactNode; shortcut?: string; danger?: boolean }) {
  return (
    <Base.Item className={cn(item, danger && "text-red [&_svg]:text-red", className as string)} {...props}>
      {icon}
      <span className="flex-1">{children}</span>
      {shortcut && <Keys keys={shortcut} />}
    </Base.Item>
  );
}

export function MenuRadio<T extends string>({
  value,
  onChange,
  options,
}: {
  value: T;
  onChange: (value: T) => void;
  options: { value: T; label: string; icon?: ReactNode }[];
}) {
  return (
    <Base.RadioGroup value={value} onValueChange={(next) => onChange(next as T)}>
      {options.map((option) => (
        <Base.RadioItem key={option.value} value={option.value} closeOnClick className={item}>
          {option.icon}
          <span className="flex-1">{option.label}</span>
          <span className="w-4">
            <Base.RadioItemIndicator>
              <Check />
            </Base.RadioItemIndicator>
          </span>
        </Base.RadioItem>
      ))}
    </Base.RadioGroup>
  );
}

export function MenuSeparator() {
  return <Base.Separator className="-mx-1 my-1 h-px bg-line" />;
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return <div className="px-2 pt-1.5 pb-1 font-medium text-faint text-xs">{children}</div>;
}
