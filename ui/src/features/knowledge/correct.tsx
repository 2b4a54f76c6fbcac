import { type KeyboardEvent, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Keys } from "@/components/ui/kbd";
import { correctLearning } from "./deeds";
import { draftOf, sameDraft } from "./draft";
import { ItemForm } from "./form";
import { useWriting } from "./presence";
import { words } from "./strings";
import type { Learning } from "./types";

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
  const [opened] = useState(item);
  const [draft, setDraft] = useState(draftOf(opened));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
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
      setError(asApiError(cause));
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
