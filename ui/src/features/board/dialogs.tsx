import { useQueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/error";
import type { FeatureCard } from "@/api/types";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { act } from "@/features/actions";
import { dependents, LeftWaiting, MergedFirst } from "@/features/dependents";
import { plural } from "@/lib/format";
import { forEach } from "./bulk";
import { bulk as s } from "./bulk-strings";
import { useBoardContext } from "./state";

/** What the board asks before it merges or deletes. */
export function BoardDialogs({ defaultBranch }: { defaultBranch: string }) {
  const client = useQueryClient();
  const { store, cards, open } = useBoardContext();
  const merging = store.usePart((state) => state.merging);
  const merges = store.usePart((state) => state.merges);
  const deleting = store.usePart((state) => state.deleting);
  const many = deleting.length > 1;
  const unverified = merges.filter((card) => card.status === "waiting_approval").length;
  return (
    <>
      <Confirm
        open={merging !== null}
        onOpenChange={(next) => !next && store.set((state) => ({ ...state, merging: null }))}
        title={`Merge #${merging?.number ?? ""}?`}
        confirm="Merge"
        onConfirm={async () => {
          if (merging === null) return;
          try {
            await act(client, merging.id, "merge");
            toast.done(`#${merging.number} is on ${defaultBranch}`);
          } catch (error) {
            // A conflict is dealt with in the card. Whoever has gone on to something else stays there.
            const waits = store.get().merging === merging;
            if (waits && error instanceof ApiError && error.code === "merge-conflict") open(merging.id);
          }
        }}
      >
        <p>
          “{merging?.title}” becomes one commit on <code className="text-ink">{defaultBranch}</code>.
        </p>
        {merging?.status === "waiting_approval" && <p>It has not been verified yet.</p>}
        <MergedFirst runId={merging?.runId} />
      </Confirm>
      <Confirm
        open={merges.length > 0}
        onOpenChange={(next) => !next && store.set((state) => ({ ...state, merges: [] }))}
        title={s.mergeTitle(merges.length)}
        confirm="Merge"
        onConfirm={async () => {
          const one = (card: FeatureCard) => act(client, card.id, "merge", { quiet: true });
          // Closing the window stops what has not begun.
          const goesOn = () => store.get().merges === merges;
          await forEach(store, merges, one, { atOnce: 1, goesOn });
        }}
      >
        <p>{s.mergeText(defaultBranch)}</p>
        <Named cards={merges} />
        {unverified > 0 && <p>{s.unverified(unverified, merges.length)}</p>}
      </Confirm>
      <Confirm
        open={deleting.length > 0}
        onOpenChange={(next) => !next && store.set((state) => ({ ...state, deleting: [] }))}
        title={many ? `Delete ${plural(deleting.length, "card")}?` : `Delete #${deleting[0]?.number ?? ""}?`}
        confirm="Delete"
        danger
        onConfirm={() => forEach(store, deleting, (card) => act(client, card.id, "delete", { quiet: true }))}
      >
        {many ? (
          <Named cards={deleting} />
        ) : (
          <p>“{deleting[0]?.title}” and the history of its runs disappear for everyone. Branches stay.</p>
        )}
        <LeftWaiting cards={dependents(deleting, cards.values())} one={!many} />
      </Confirm>
    </>
  );
}

const FEW = 5;

/** The first of several cards. */
function Named({ cards }: { cards: readonly FeatureCard[] }) {
  return (
    <ul className="list-disc pl-5">
      {cards.slice(0, FEW).map((card) => (
        <li key={card.id}>
          #{card.number} {card.title}
        </li>
      ))}
      {cards.length > FEW && <li>{s.more(cards.length - FEW)}</li>}
    </ul>
  );
}
