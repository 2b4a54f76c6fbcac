import { useRender } from "@base-ui/react/use-render";
import { cva, type VariantProps } from "class-variance-authority";
import type { ComponentProps, ReactElement } from "react";
import { cn } from "@/lib/cn";

const styles = cva(
  "inline-flex shrink-0 select-none items-center justify-center gap-1.5 whitespace-nowrap rounded-md font-medium transition-colors duration-100 disabled:pointer-events-none disabled:opacity-50 aria-disabled:opacity-50 [&_svg]:shrink-0",
  {
    variants: {
      variant: {
        primary: "bg-accent text-accent-ink hover:bg-accent-hover active:brightness-95",
        secondary:
          "border border-line-strong bg-surface text-ink shadow-card hover:bg-[color-mix(in_oklab,var(--surface),var(--ink)_5%)] active:bg-pressed",
        ghost: "text-muted hover:bg-hover hover:text-ink active:bg-pressed data-popup-open:bg-hover",
        danger: "bg-danger text-white hover:bg-danger-hover",
        quiet: "text-accent-text underline-offset-2 hover:underline",
      },
      size: {
        sm: "h-7 px-2.5 text-sm [&_svg]:size-3.5",
        md: "h-8 px-3 text-sm [&_svg]:size-4",
        lg: "h-10 px-4 text-base [&_svg]:size-4",
        icon: "size-8 [&_svg]:size-4",
        "icon-sm": "size-7 [&_svg]:size-4",
      },
    },
    defaultVariants: { variant: "secondary", size: "md" },
  },
);

export interface ButtonProps extends ComponentProps<"button">, VariantProps<typeof styles> {
  /** Shows that something is under way, and lets nobody press again. */
  busy?: boolean;
  /** Another element that is to look like a button, such as a link. */
  render?: ReactElement;
}

export function Button({ variant, size, busy, className, render, children, ref, ...props }: ButtonProps) {
  return useRender({
    defaultTagName: "button",
    ...(render === undefined ? {} : { render }),
    ...(ref === undefined ? {} : { ref }),
    props: {
      ...(render === undefined ? { type: "button" as const } : {}),
      className: cn(styles({ variant, size }), className),
      ...props,
      ...(busy ? { disabled: true, "aria-busy": true } : {}),
      children: (
        <>
          {busy && (
            <span
              aria-hidden
              className="size-3.5 animate-spin-slow rounded-full border-2 border-current border-t-transparent"
            />
          )}
          {children}
        </>
      ),
    },
  });
}
