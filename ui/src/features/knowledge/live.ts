import { keys } from "@/api/keys";
import type { Me, Member } from "@/api/types";
import { queryClient } from "@/app/query-client";
import { announce } from "@/lib/announce";
import { createStore } from "@/lib/store";
import { onKnowledge } from "@/live/knowledge";
import { hubKeys } from "./keys";
import { words } from "./strings";

/** Changes that come together are fetched together: many at once, such as of an import, must not be a request each. */
const TOGETHER_MS = 150;
/** How long a row shows that somebody else has just changed it. */
const FRESH_MS = 4_000;

/** What somebody else changed a moment ago. */
const fresh = createStore<ReadonlySet<string>>(new Set());
export const useFresh = (id: string) => fresh.usePart((ids) => ids.has(id));

/** How many views of the hub are open: what happens is said aloud only to who looks at it. */
let watched = 0;
export function watch(): () => void {
  watched += 1;
  return () => {
    watched -= 1;
  };
}

const changed = new Set<string>();

function fetchAnew() {
  const ids = [...changed];
  changed.clear();
  void queryClient.invalidateQueries({ queryKey: hubKeys.lists });
  for (const id of ids) void queryClient.invalidateQueries({ queryKey: hubKeys.item(id) });
}

onKnowledge((frame) => {
  if (frame.type === "knowledge.editing") return;
  // The first of several lets the others come.
  if (changed.size === 0) setTimeout(fetchAnew, TOGETHER_MS);
  changed.add(frame.id);
  if (frame.deed === "erased" || frame.deed === "forgotten")
    void queryClient.resetQueries({ queryKey: hubKeys.versionsOf(frame.id) });
  const me = queryClient.getQueryData<Me>(keys.me);
  if (frame.actor === me?.id && frame.origin === "member") return;
  if (watched > 0) {
    const members = queryClient.getQueryData<Member[]>(keys.members);
    const who = members?.find((member) => member.id === frame.actor)?.name ?? words.somebody;
    announce(words.announce[frame.deed](who, frame.title));
  }
  fresh.set((ids) => new Set([...ids, frame.id]));
  setTimeout(
    () =>
      fresh.set((ids) => {
        const left = new Set(ids);
        left.delete(frame.id);
        return left;
      }),
    FRESH_MS,
  );
});
