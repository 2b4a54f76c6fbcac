import { CircleAlert } from "lucide-react";
import { cn } from "@/lib/cn";
import { problemText } from "./strings";

/** Says why somebody came back from a provider without what they went for. */
export function Problem({ code, className }: { code: string | undefined; className?: string }) {
  if (code === undefined) return null;
  return (
    <p role="alert" className={cn("flex gap-2 rounded-md bg-red-soft px-3 py-2 text-red text-sm", className)}>
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0" />
      {problemText(code)}
    </p>
  );
}
