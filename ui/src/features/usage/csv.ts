import type { Sums, UsageView } from "@/api/types";
import { usage } from "./strings";

/** A field as it may stand in the file. What a spreadsheet would take for a formula is kept from being one. */
export function field(value: string | number): string {
  if (typeof value === "number") return String(value);
  const plain = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

const sums = (of: Sums) => [
  of.calls,
  of.unpricedCalls,
  of.inputTokens,
  of.outputTokens,
  of.cacheReadTokens,
  of.cacheWriteTokens,
  of.costMicros / 1_000_000,
];

/** The groups of an answer as a file of comma-separated values. */
export function csvOf(view: UsageView): string {
  const rows: (string | number)[][] = [
    [
      usage.by[view.by],
      "of",
      "calls",
      "calls without a price",
      "input tokens",
      "output tokens",
      "cache read tokens",
      "cache write tokens",
      "cost in US dollars",
    ],
    ...view.groups.map((group) => [group.label, group.of ?? "", ...sums(group)]),
    ...(view.others ? [[usage.others, "", ...sums(view.others)]] : []),
  ];
  return rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

/** Hands a text over as a file. */
export function save(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
