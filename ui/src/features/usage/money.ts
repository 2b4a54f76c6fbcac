/** Micro-dollars of what somebody wrote as dollars; nothing when that is no sum of money. */
export function microsOf(text: string): number | null {
  const plain = text
    .trim()
    .replace(/^\$\s*/, "")
    .replaceAll(",", "");
  if (!/^\d{1,9}(\.\d{1,6})?$/.test(plain)) return null;
  return Math.round(Number(plain) * 1_000_000);
}

/** Micro-dollars as one would write them into a field. */
export function dollarsOf(micros: number): string {
  return String(micros / 1_000_000);
}
