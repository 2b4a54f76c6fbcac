import { type KeyboardEvent, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Keys } from "@/components/ui/kbd";
import { Conflict } from "./conflict";
import { conflictOf, correctLearning } from "./deeds";
import { draftOf } from "./draft";
import { ItemForm } from "./form";
import { Notice } from "./item";
import { keyOf, useKept } from "./kept";
import { useName } from "./people";
import { useWriting } from "./presence";
import { words } from "./strings";
import type { Item, Learning } from "./types";

/** Puts a proposed learning right; saving it verifies it, too. */
export function Correct({
  item,
  onCancel,
  onDone,
}: {
  item: Learning;
  onCancel: () => void;
  onDone: () => void;
}) {
  // As it was when one began: changes of others since then are noticed by its version.
  const { draft, base, version, changed, found, ...kept } = useKept(keyOf(item.id), () => {
    const base = draftOf(item);
    return { draft: base, base, version: item.version };
  });
  const [theirs, setTheirs] = useState<Item | null>(null);
  const [discarding, setDiscarding] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const name = useName();
  useWriting(item.id);
  const lacks = draft.title.trim() === "" || draft.content.trim() === "";
  const save = async () => {
    if (busy || lacks) return;
    setBusy(true);
    setError(null);
    try {
      await correctLearning(item.id, version, changed ? draft : null);
      kept.end();
      onDone();
    } catch (cause) {
      const failed = asApiError(cause);
      const current = conflictOf(failed);
      if (current?.kind === "learning") setTheirs(current);
      else setError(failed);
    } finally {
      setBusy(false);
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) void save();
    else if (event.key === "Escape" && !changed) onCancel();
    else return;
    event.preventDefault();
  };
  if (theirs?.kind === "learning")
    return (
      <section aria-label={words.conflict.title} className="flex flex-col gap-3">
        <p className="text-muted text-sm">{words.conflict.text(name(theirs.updatedBy), theirs.version)}</p>
        <Conflict
          kind="learning"
          base={base}
          mine={draft}
          theirs={draftOf(theirs)}
          onCancel={() => setTheirs(null)}
          onUse={(merged) => {
            kept.setAll({ draft: merged, base: draftOf(theirs), version: theirs.version });
            setTheirs(null);
          }}
        />
      </section>
    );
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only takes the keys of its fields
    <div onKeyDown={onKeyDown} className="flex flex-col gap-5">
      {found && <Notice>{words.form.found}</Notice>}
      <ItemForm kind="learning" draft={draft} onChange={kept.set} error={error} self={item.id} focusTitle />
      <FormError error={error} />
      <div className="flex flex-wrap justify-end gap-2">
        {changed && (
          <Button variant="ghost" onClick={() => setDiscarding(true)}>
            {words.form.discard}
          </Button>
        )}
        <Button variant={changed ? "secondary" : "ghost"} onClick={onCancel}>
          {changed ? words.form.later : words.cancel}
        </Button>
        <Button variant="primary" busy={busy} disabled={lacks} onClick={() => void save()}>
          {words.review.correctSave}{" "}
          <span className="hidden sm:inline">
            <Keys keys="mod+enter" />
          </span>
        </Button>
      </div>
      <Confirm
        open={discarding}
        onOpenChange={setDiscarding}
        title={words.form.discardTitle}
        confirm={words.form.discard}
        danger
        onConfirm={() => {
          kept.end();
          onCancel();
        }}
      >
        {words.form.discardText}
      </Confirm>
    </div>
  );
}
