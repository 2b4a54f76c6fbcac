import { type KeyboardEvent, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Keys } from "@/components/ui/kbd";
import { Conflict } from "./conflict";
import { conflictOf, correctLearning } from "./deeds";
import { draftOf, sameDraft } from "./draft";
import { ItemForm } from "./form";
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
  const [opened, setOpened] = useState(item);
  const [theirs, setTheirs] = useState<Item | null>(null);
  const [draft, setDraft] = useState(draftOf(opened));
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
      await correctLearning(opened, sameDraft(draft, draftOf(opened)) ? null : draft);
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
    else if (event.key === "Escape" && sameDraft(draft, draftOf(opened))) onCancel();
    else return;
    event.preventDefault();
  };
  if (theirs?.kind === "learning")
    return (
      <section aria-label={words.conflict.title} className="flex flex-col gap-3">
        <p className="text-muted text-sm">{words.conflict.text(name(theirs.updatedBy), theirs.version)}</p>
        <Conflict
          kind="learning"
          base={draftOf(opened)}
          mine={draft}
          theirs={draftOf(theirs)}
          onCancel={() => setTheirs(null)}
          onUse={(merged) => {
            setDraft(merged);
            setOpened(theirs);
            setTheirs(null);
          }}
        />
      </section>
    );
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only takes the keys of its fields
    <div onKeyDown={onKeyDown} className="flex flex-col gap-5">
      <ItemForm
        kind="learning"
        draft={draft}
        onChange={(part) => setDraft((before) => ({ ...before, ...part }))}
        error={error}
        self={item.id}
        focusTitle
      />
      <FormError error={error} />
      <div className="flex justify-end gap-2">
        <Button variant="ghost" onClick={onCancel}>
          {words.cancel}
        </Button>
        <Button variant="primary" busy={busy} disabled={lacks} onClick={() => void save()}>
          {words.review.correctSave} <Keys keys="mod+enter" />
        </Button>
      </div>
    </div>
  );
}
