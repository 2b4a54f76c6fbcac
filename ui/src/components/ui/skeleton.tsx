import { cn } from "@/lib/cn";

/** A place for something that is being fetched. Give it the size of what will come. */
export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cn("animate-pulse-soft rounded-md bg-grey-soft", className)} />;
}
