import type { Sums } from "@/api/types";

type Tokens = Pick<Sums, "inputTokens" | "outputTokens" | "cacheReadTokens" | "cacheWriteTokens">;

export const inputTokens = (of: Tokens) => of.inputTokens + of.cacheReadTokens + of.cacheWriteTokens;
export const totalTokens = (of: Tokens) => inputTokens(of) + of.outputTokens;

/** The share of the input that came from the cache, such as `87 %`; a dash where there was no input. */
export function cacheShare(of: Tokens): string {
  const all = inputTokens(of);
  return all === 0 ? "–" : `${Math.round((of.cacheReadTokens / all) * 100)} %`;
}
