import { useState } from "react";
import { useFeature } from "@/api/queries";
import { ErrorState } from "@/components/state";
import { Dialog } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { CardForm } from "./card-form";
import { closeEditor, type EditorRequest, editor } from "./store";

/** The window in which cards are written and changed. */
export default function CardEditor() {
  const request = editor.use();
  // What is shown while the window closes.
  const [last, setLast] = useState<EditorRequest | null>(request);
  // Each opening is a form of its own.
  const [opened, setOpened] = useState(0);
  if (request !== null && request !== last) {
    setLast(request);
    setOpened(opened + 1);
  }
  const shown = request ?? last;
  return (
    <Dialog
      open={request !== null}
      onOpenChange={(open) => !open && closeEditor()}
      title={shown?.mode === "edit" ? "Edit card" : "New card"}
      width="lg"
    >
      {shown?.mode === "create" && (
        <CardForm key={opened} projectId={shown.projectId} feature={null} initial={shown.initial} />
      )}
      {shown?.mode === "edit" && <Edit key={opened} featureId={shown.featureId} files={shown.files} />}
    </Dialog>
  );
}

function Edit({ featureId, files }: { featureId: string; files: File[] | undefined }) {
  const feature = useFeature(featureId);
  // What is typed stays, whatever became of the server since.
  if (feature.data === undefined && feature.isError)
    return <ErrorState error={feature.error} onRetry={() => feature.refetch()} />;
  if (feature.data === undefined)
    return (
      <div className="flex flex-col gap-3 p-5">
        <Skeleton className="h-8 w-2/3" />
        <Skeleton className="h-48" />
      </div>
    );
  return (
    <CardForm
      projectId={feature.data.projectId}
      feature={feature.data}
      waiting={files}
      onReload={async () => (await feature.refetch()).data}
    />
  );
}
