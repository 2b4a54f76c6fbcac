import { Link } from "@tanstack/react-router";
import { useMay } from "@/api/queries";
import { keyProblem } from "./problem";

/** The way to the keys, where one of them is what is wrong. */
export function KeyLink({ code, className }: { code: string | undefined; className?: string }) {
  const mayKeepKeys = useMay("keys");
  const label = keyProblem(code);
  if (label === null || !mayKeepKeys) return null;
  return (
    <Link
      to="/settings"
      hash="keys"
      className={`relative z-10 text-accent-text underline underline-offset-2 ${className ?? ""}`}
    >
      {label}
    </Link>
  );
}
