import { cn } from "@/lib/cn";

const mac = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.platform);

/** One key. */
export function Kbd({ children, className }: { children: string; className?: string }) {
  return (
    <kbd
      className={cn(
        "inline-flex h-[18px] min-w-[18px] items-center justify-center rounded border border-line-strong bg-sunken px-1 font-sans text-2xs text-faint",
        className,
      )}
    >
      {children}
    </kbd>
  );
}

/** Keys that are pressed together, written `mod+k`: `mod` is ⌘ on a Mac and Ctrl elsewhere. */
export function Keys({ keys }: { keys: string }) {
  return (
    <span className="inline-flex gap-0.5">
      {keys.split("+").map((key) => (
        <Kbd key={key}>{name(key)}</Kbd>
      ))}
    </span>
  );
}

function name(key: string): string {
  switch (key) {
    case "mod":
      return mac ? "⌘" : "Ctrl";
    case "enter":
      return "↵";
    case "shift":
      return "⇧";
    case "esc":
      return "Esc";
    case "space":
      return "Space";
    default:
      return key.length === 1 ? key.toUpperCase() : key;
  }
}
