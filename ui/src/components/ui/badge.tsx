import { cva, type VariantProps } from "class-variance-authority";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

const styles = cva(
  "inline-flex shrink-0 items-center gap-1 whitespace-nowrap rounded-full px-2 font-medium text-2xs leading-[1.125rem] [&_svg]:size-3",
  {
    variants: {
      tone: {
        grey: "bg-grey-soft text-muted",
        accent: "bg-accent-soft text-accent-text",
        blue: "bg-blue-soft text-blue",
        amber: "bg-amber-soft text-amber",
        green: "bg-green-soft text-green",
        violet: "bg-violet-soft text-violet",
        red: "bg-red-soft text-red",
        outline: "border border-line text-muted",
      },
    },
    defaultVariants: { tone: "grey" },
  },
);

export type Tone = NonNullable<VariantProps<typeof styles>["tone"]>;

export function Badge({ tone, className, ...props }: ComponentProps<"span"> & { tone?: Tone }) {
  return <span className={cn(styles({ tone }), className)} {...props} />;
}
