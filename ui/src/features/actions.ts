import { type QueryClient, useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { Feature, FeatureCard, FeatureKind, FeatureStatus } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { keyProblem } from "@/features/settings/keys/problem";
import { dropFeature, putFeature, putRun } from "@/live/apply";
import { broughtSince, rememberDeleted, rememberFeature } from "@/live/recent";
import { forgetRefused, noteRefused } from "./refused";

/** What a member can do to a card beyond editing it. */
export type FeatureAction = "start" | "retry" | "stop" | "verify" | "merge" | "shelve" | "delete";

/** Whether a card's plan waits for a person. */
export const planWaits = ({ status, stage }: Pick<FeatureCard, "status" | "stage">) =>
  status === "in_progress" && stage === "plan_approval";

/** Which actions make sense for a card as it stands; the server has the last word. */
export function actionsFor(
  card: Pick<FeatureCard, "status" | "stage"> & { kind?: FeatureKind },
): FeatureAction[] {
  if (card.kind !== undefined && card.kind !== "card") {
    // What is no card is neither verified nor merged.
    if (card.status === "queued" || card.status === "in_progress") return ["stop"];
    return card.status === "failed" || card.status === "paused" ? ["retry"] : [];
  }
  if (planWaits(card)) return ["stop", "shelve", "delete"];
  switch (card.status) {
    case "backlog":
      return ["start", "delete"];
    case "queued":
    case "in_progress":
      return ["stop"];
    case "waiting_approval":
      return ["verify", "merge", "start", "shelve", "delete"];
    case "verified":
      return ["merge", "start", "shelve", "delete"];
    case "completed":
      return ["delete"];
    case "failed":
    case "paused":
      return ["retry", "start", "shelve", "delete"];
  }
}

/** Where the card will stand, shown before the server has answered. Verifying and merging can end elsewhere: no guess. */
const GUESS: Partial<Record<FeatureAction, FeatureStatus>> = {
  start: "queued",
  retry: "queued",
  verify: "queued",
  stop: "paused",
  shelve: "backlog",
};

/** The card as the page holds it just now. */
export function cachedCard(client: QueryClient, id: string, projectId?: string): FeatureCard | undefined {
  const whole = client.getQueryData<Feature>(keys.feature(id));
  if (whole !== undefined) return whole;
  const lists = client.getQueriesData<FeatureCard[]>(
    projectId === undefined ? { queryKey: ["board"] } : { queryKey: keys.board(projectId) },
  );
  for (const [, list] of [...lists, ...client.getQueriesData<FeatureCard[]>({ queryKey: ["active"] })]) {
    const card = list?.find((entry) => entry.id === id);
    if (card !== undefined) return card;
  }
  return undefined;
}

/** Cards as they are but for what is guessed of them, and how many actions on each are under way. */
const guessed = new Map<string, { card: FeatureCard; under: number }>();

/** The card as it is, from the first action on it until the last one has settled. */
function beneath(id: string, held: FeatureCard | undefined) {
  if (held === undefined) return undefined;
  const kept = guessed.get(id) ?? { card: held, under: 0 };
  // What is newer, the server said.
  if (held.version > kept.card.version) kept.card = held;
  kept.under += 1;
  guessed.set(id, kept);
  return kept;
}

/** Does an action: shows the outcome at once, puts it back and says why when the server refuses. */
export async function act(
  client: QueryClient,
  id: string,
  action: FeatureAction,
  options: { message?: string; quiet?: boolean } = {},
): Promise<Feature | undefined> {
  const before = cachedCard(client, id);
  const kept = beneath(id, before);
  const guess = GUESS[action];
  if (before !== undefined && guess !== undefined) {
    putFeature(client, { ...before, status: guess, stage: null, error: null });
  }
  forgetRefused(id);
  try {
    if (action === "delete") {
      await api.deleteFeature(id);
      if (before !== undefined) {
        rememberDeleted(id, before.projectId);
        dropFeature(client, id, before.projectId);
      }
      return undefined;
    }
    const feature = await call(client, id, action, options.message);
    rememberFeature(feature);
    putFeature(client, feature);
    return feature;
  } catch (cause) {
    const error = asApiError(cause);
    const now = cachedCard(client, id);
    // Put back only what was guessed: the socket may have brought the truth meanwhile.
    if (kept !== undefined && now?.version === kept.card.version) putFeature(client, kept.card);
    // Of a move that is not one any more, the card itself tells.
    const begins = action === "start" || action === "retry";
    if (begins && error.status === 409 && error.code !== "illegal-move") noteRefused(id, error);
    if (!options.quiet) {
      toast.error(before ? `#${before.number} ${before.title}` : undefined, error, toKeys(error.code));
    }
    throw error;
  } finally {
    if (kept !== undefined && --kept.under === 0) guessed.delete(id);
  }
}

/** Where a key is what is missing, the way to the keys. */
function toKeys(code: string) {
  const label = keyProblem(code);
  if (label === null) return undefined;
  // Whoever acts has the router already; here it would make a circle.
  const onClick = () =>
    void import("@/router").then(({ router }) => router.navigate({ to: "/settings", hash: "keys" }));
  return { label, onClick };
}

async function call(
  client: QueryClient,
  id: string,
  action: Exclude<FeatureAction, "delete">,
  message?: string,
) {
  switch (action) {
    case "shelve":
      return api.shelve(id);
    case "merge":
      return (await api.merge(id, message)).feature;
    default: {
      const began = performance.now();
      const { feature, run } = await api[action](id);
      if (broughtSince("run", run.id, began) === undefined) putRun(client, run);
      return feature;
    }
  }
}

/** An action on a card, as a mutation: `mutate({ id })`. The toast for a refusal is shown unless `quiet`. */
export function useFeatureAction(action: FeatureAction, options: { quiet?: boolean } = {}) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: ["feature", action],
    mutationFn: ({ id, message }: { id: string; message?: string }) =>
      act(client, id, action, {
        ...(message === undefined ? {} : { message }),
        ...(options.quiet ? { quiet: true } : {}),
      }),
  });
}
