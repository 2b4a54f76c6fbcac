import { cn } from "@/lib/cn";
import { initials } from "@/lib/format";

const HUES = [187, 250, 300, 25, 80, 150, 215, 340];

/** A person, as their picture, or as letters on a colour of their own. */
export function Avatar({
  name,
  id,
  picture,
  size = "md",
  className,
}: {
  name: string;
  id: string;
  /** Names the picture, where there is one. */
  picture?: string | null;
  size?: "sm" | "md" | "lg";
  className?: string;
}) {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + char.charCodeAt(0)) % 997;
  const hue = HUES[sum % HUES.length];
  return (
    <span
      aria-hidden
      title={name}
      style={{ background: `oklch(0.5 0.09 ${hue})` }}
      className={cn(
        "relative inline-flex shrink-0 select-none overflow-hidden items-center justify-center rounded-full font-semibold text-white",
        size === "sm" && "size-5 text-[0.5625rem]",
        size === "md" && "size-6 text-[0.625rem]",
        size === "lg" && "size-9 text-sm",
        className,
      )}
    >
      {initials(name)}
      {picture && (
        <img
          src={`/api/members/${id}/avatar?v=${picture}`}
          alt=""
          className="absolute inset-0 size-full bg-surface object-cover"
        />
      )}
    </span>
  );
}
