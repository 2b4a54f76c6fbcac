import { type ApiError, asApiError } from "@/api/error";
import { createStore } from "@/lib/store";

/** Why the server would not begin with a card, as long as the page is open and nothing was tried anew. */
const refusals = createStore<ReadonlyMap<string, ApiError>>(new Map());

export function noteRefused(featureId: string, cause: unknown) {
  refusals.set((all) => new Map(all).set(featureId, asApiError(cause)));
}

export function forgetRefused(featureId: string) {
  if (!refusals.get().has(featureId)) return;
  refusals.set((all) => {
    const rest = new Map(all);
    rest.delete(featureId);
    return rest;
  });
}

/** Why the server would not begin with this card. */
export const useRefused = (featureId: string) => refusals.usePart((all) => all.get(featureId));
