import { useQueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/error";
import { Confirm } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toast";
import { act } from "@/features/actions";
import { dependents, LeftWaiting, MergedFirst } from "@/features/dependents";
import { plural } from "@/lib/format";
import { forEach } from "./bulk-bar";
import { useBoardContext } from "./state";

/** What the board asks before it merges or deletes. */
export function BoardDialogs({ defaultBranch }: { defaultBranch: string }) {
  const client = useQueryClient();
  const { store, cards, open } = useBoardContext();
  const merging = store.usePart((state) => state.merging);
  const deleting = store.usePart((state) => state.deleting);
  const many = deleting.length > 1;
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
            // A conflict is dealt with in the card.
            if (error instanceof ApiError && error.code === "merge-conflict") open(merging.id);
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
        open={deleting.length > 0}
        onOpenChange={(next) => !next && store.set((state) => ({ ...state, deleting: [] }))}
        title={many ? `Delete ${plural(deleting.length, "card")}?` : `Delete #${deleting[0]?.number ?? ""}?`}
        confirm="Delete"
        danger
        onConfirm={async () => {
          await forEach(deleting, (card) => act(client, card.id, "delete", { quiet: true }));
          const gone = new Set(deleting.map((card) => card.id));
          store.set((state) => ({
            ...state,
            selected: new Set([...state.selected].filter((id) => !gone.has(id))),
          }));
        }}
      >
        {many ? (
          <ul className="list-disc pl-5">
            {deleting.slice(0, 5).map((card) => (
              <li key={card.id}>
                #{card.number} {card.title}
              </li>
            ))}
            {deleting.length > 5 && <li>and {deleting.length - 5} more</li>}
          </ul>
        ) : (
          <p>“{deleting[0]?.title}” and the history of its runs disappear for everyone. Branches stay.</p>
        )}
        <LeftWaiting cards={dependents(deleting, cards.values())} one={!many} />
      </Confirm>
    </>
  );
}
