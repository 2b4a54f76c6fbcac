import { type ComponentProps, useState } from "react";
import { cn } from "@/lib/cn";
import { Input } from "./input";

/** A field for a password, which can be looked at: what is typed blind, and once, is typed wrong. */
export function PasswordInput({ className, ...props }: Omit<ComponentProps<"input">, "type">) {
  const [shown, setShown] = useState(false);
  return (
    <div className="relative">
      <Input
        {...props}
        type={shown ? "text" : "password"}
        autoCapitalize="none"
        autoCorrect="off"
        spellCheck={false}
        className={cn("pr-14", className)}
      />
      <button
        type="button"
        aria-pressed={shown}
        aria-label={shown ? "Hide what is typed" : "Show what is typed"}
        onClick={() => setShown(!shown)}
        className="absolute inset-y-0 right-0 rounded-md px-3 text-muted text-xs hover:text-ink"
      >
        {shown ? "Hide" : "Show"}
      </button>
    </div>
  );
}
