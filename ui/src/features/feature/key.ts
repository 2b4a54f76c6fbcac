import type { KeySource, ProviderKind } from "@/api/types";
import { s } from "./strings";

/** Whose key a run uses, and which. */
export function keyWords(source: KeySource, provider: ProviderKind | null, hint: string | null): string {
  const whose = s.live.keys[source];
  if (source === "simulated" || provider === null) return whose;
  const which = hint === null ? "" : ` •••• ${hint}`;
  return `${whose} for ${s.live.keyFor[provider]}${which}`;
}
