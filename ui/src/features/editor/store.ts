import type { FeatureDraft } from "@/api/types";
import { createStore } from "@/lib/store";

/** What the card editor is open for. */
export type EditorRequest =
  | { mode: "create"; projectId: string; initial?: Partial<FeatureDraft> }
  // `files` could not be put on it when it was written.
  | { mode: "edit"; featureId: string; files?: File[] };

export const editor = createStore<EditorRequest | null>(null);

/** Opens the card editor over whatever is shown. */
export function openEditor(request: EditorRequest) {
  editor.set(request);
}

export function closeEditor() {
  editor.set(null);
}
