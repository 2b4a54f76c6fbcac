import { useEffect, useState } from "react";
import { useFeature } from "@/api/queries";
import { ErrorState } from "@/components/state";
import { Dialog } from "@/components/ui/dialog";
import { Skeleton } from "@/components/ui/skeleton";
import { CardForm } from "./card-form";
import { BLANK, draftOf, loadDraft } from "./draft";
import { closeEditor, type EditorRequest, editor } from "./store";

/** The window in which cards are written and changed. */
export default function CardEditor() {
  const request = editor.use();
  // What is shown while the window closes.
  const [last, setLast] = useState<EditorRequest | null>(request);
  if (request !== null && request !== last) setLast(request);
  const shown = request ?? last;
  return (
    <Dialog
      open={request !== null}
      onOpenChange={(open) => !open && closeEditor()}
      title={shown?.mode === "edit" ? "Edit card" : "New card"}
      width="lg"
    >
      {shown?.mode === "create" && <Create key={shown.projectId} request={shown} />}
      {shown?.mode === "edit" && <Edit key={shown.featureId} featureId={shown.featureId} />}
    </Dialog>
  );
}

function Create({ request }: { request: Extract<EditorRequest, { mode: "create" }> }) {
  const { projectId, initial } = request;
  const [start] = useState(() => {
    const given = { ...BLANK, ...initial } as typeof BLANK;
    return { initial: given, draft: initial ? null : loadDraft(projectId) };
  });
  return (
    <CardForm
      projectId={projectId}
      feature={null}
      draftKey={projectId}
      initial={start.initial}
      draft={start.draft}
    />
  );
}

function Edit({ featureId }: { featureId: string }) {
  const feature = useFeature(featureId);
  // The card as it was when the window opened: changes of others since then are noticed by its version.
  const [opened, setOpened] = useState(feature.data);
  useEffect(() => {
    if (feature.data !== undefined) setOpened((before) => before ?? feature.data);
  }, [feature.data]);
  if (feature.isError) return <ErrorState error={feature.error} onRetry={() => feature.refetch()} />;
  if (opened === undefined)
    return (
      <div className="flex flex-col gap-3 p-5">
        <Skeleton className="h-8 w-2/3" />
        <Skeleton className="h-48" />
      </div>
    );
  return (
    <CardForm
      key={opened.version}
      projectId={opened.projectId}
      feature={opened}
      draftKey={`feature.${opened.id}`}
      initial={draftOf(opened)}
      draft={loadDraft(`feature.${opened.id}`)}
      onReload={() => void feature.refetch().then(({ data }) => data && setOpened(data))}
    />
  );
}
