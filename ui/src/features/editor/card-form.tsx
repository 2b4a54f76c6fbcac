import { useQueryClient } from "@tanstack/react-query";
import { ImagePlus } from "lucide-react";
import { type KeyboardEvent, useId, useRef, useState } from "react";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useBoard } from "@/api/queries";
import type { Attachment, Feature, FeatureDraft } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Keys } from "@/components/ui/kbd";
import { toast } from "@/components/ui/toast";
import { act } from "@/features/actions";
import { categoriesOf } from "@/features/board/filter";
import { cn } from "@/lib/cn";
import { useUnsaved } from "@/lib/unsaved";
import { putFeature } from "@/live/apply";
import { rememberFeature } from "@/live/recent";
import { t } from "@/strings";
import { CardOptions } from "./card-options";
import { DescriptionField } from "./description";
import { type Draft, MOST_FILES, toCreate } from "./draft";
import { acceptFiles, QueuedFiles, StoredFiles } from "./files";
import { useImprove } from "./improve";
import { CardNotice } from "./notice";
import { closeEditor, editor, openEditor } from "./store";
import { useCardDraft } from "./use-card-draft";

const MORE = "guildhall.create-more";
const NO_FILES: File[] = [];

/** The form of a card, new (`feature` absent) or there already. */
export function CardForm({
  projectId,
  feature,
  initial,
  waiting = NO_FILES,
  onReload,
}: {
  projectId: string;
  feature: Feature | null;
  /** What a new card begins with. */
  initial?: Partial<FeatureDraft> | undefined;
  /** Files that could not be put on the card when it was written. */
  waiting?: File[] | undefined;
  /** Fetches the card as somebody else changed it. */
  onReload?: () => Promise<Feature | undefined>;
}) {
  const client = useQueryClient();
  // Whether the window still shows this: by the time of an answer it may be closed, or open for another card.
  const [request] = useState(editor.get);
  const shown = () => editor.get() === request;
  const own = useCardDraft(projectId, feature, initial as Partial<Draft> | undefined);
  const { draft, set, changed } = own;
  // What is sent with the card, or once more.
  const [files, setFiles] = useState(waiting);
  useUnsaved(files.length > 0, "The attached files are not on the card yet, and not kept on this device.");
  const [sending, setSending] = useState<string[]>([]);
  const [busy, setBusy] = useState<"save" | "start" | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [over, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const title = useRef<HTMLInputElement>(null);
  const description = useRef<HTMLTextAreaElement>(null);
  const [more, setMore] = useState(() => localStorage.getItem(MORE) === "yes");
  const listId = useId();
  const board = useBoard(projectId).data ?? [];
  // Whether the description is a suggestion that was taken.
  const [enhanced, setEnhanced] = useState(false);
  const improve = useImprove({
    projectId,
    title: draft.title,
    value: draft.description,
    field: description,
    onChange: (text) => set({ description: text }),
    onTaken: setEnhanced,
  });
  const empty = draft.description.trim() === "" && draft.title.trim() === "";

  /** Puts files on a card. Gives back those that could not be. */
  const send = async (id: string, list: readonly File[]): Promise<File[]> => {
    const failed: File[] = [];
    for (const file of list) {
      setSending((before) => [...before, file.name]);
      try {
        const attachment = await api.attach(id, file);
        client.setQueryData<Attachment[]>(keys.attachments(id), (there) => there && [...there, attachment]);
      } catch (cause) {
        failed.push(file);
        toast.error(`${file.name} is not on the card`, asApiError(cause));
      } finally {
        setSending((before) => before.filter((name) => name !== file.name));
      }
    }
    return failed;
  };
  const addFiles = async (incoming: Iterable<File>) => {
    const there =
      feature === null ? 0 : (client.getQueryData<Attachment[]>(keys.attachments(feature.id))?.length ?? 0);
    const accepted = acceptFiles(incoming, MOST_FILES - there - files.length - sending.length);
    const waits = feature === null ? accepted : await send(feature.id, accepted);
    if (waits.length > 0) setFiles((before) => [...before, ...waits]);
  };

  /** Writes the card itself: a new one, or what is another now. */
  const write = async (force: boolean): Promise<Feature> => {
    if (feature !== null && !changed) return feature;
    const how = enhanced && own.patch.description !== undefined ? { enhanced } : {};
    const expect = force ? {} : { expectVersion: own.version };
    const written =
      feature === null
        ? await api.createFeature(projectId, toCreate(draft))
        : await api.updateFeature(feature.id, { ...own.patch, ...how, ...expect });
    rememberFeature(written);
    putFeature(client, written);
    return written;
  };

  const save = async (start: boolean, force = false) => {
    if (empty || busy !== null) return;
    setBusy(start ? "start" : "save");
    setError(null);
    try {
      const saved = await write(force);
      own.saved();
      const failed = await send(saved.id, files);
      if (failed.length > 0) {
        // The card is there, but nothing begins without what it is to show.
        if (feature !== null) setFiles(failed);
        else if (shown()) openEditor({ mode: "edit", featureId: saved.id, files: failed });
        return;
      }
      if (feature === null && more) {
        own.next();
        improve.forget();
        setFiles([]);
        title.current?.focus();
      } else if (shown()) closeEditor();
      if (start) await act(client, saved.id, "start").catch(() => {});
      else if (feature === null) toast.done(`#${saved.number} is in the backlog`);
    } catch (cause) {
      const failure = asApiError(cause);
      if (shown()) setError(failure);
      // Nobody would see it: what was typed is kept, and found when the card is opened again.
      else toast.error(`${draft.title || "The card"} is not saved`, failure);
    } finally {
      setBusy(null);
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    void save(event.shiftKey && mayStart);
  };
  const mayStart = feature === null || feature.status === "backlog";
  const stale = error?.code === "stale";
  const branchError = error?.field("branch");
  const takeTheirs = async () => {
    setError(null);
    own.discard((await onReload?.()) ?? feature);
    improve.forget();
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only takes what is dropped on it and the keys of its fields
    <div
      onKeyDown={onKeyDown}
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => {
        if (event.dataTransfer.files.length === 0) return;
        event.preventDefault();
        setOver(false);
        void addFiles(event.dataTransfer.files);
      }}
      onPaste={(event) => {
        if (event.clipboardData.files.length === 0) return;
        event.preventDefault();
        void addFiles(event.clipboardData.files);
      }}
      className="relative flex flex-col"
    >
      {over && (
        <div className="pointer-events-none absolute inset-2 z-10 flex items-center justify-center rounded-lg border-2 border-accent border-dashed bg-accent-soft/90 font-medium text-accent-text">
          Drop to attach
        </div>
      )}
      <div className="flex flex-col gap-2 px-5 pb-4">
        {feature !== null && files.length > 0 && (
          <CardNotice text="These files are not on the card yet. Saving tries again." />
        )}
        {own.clash && !stale ? (
          <CardNotice text={t.unsaved.clash} action={t.unsaved.theirs} onAction={() => void takeTheirs()} />
        ) : (
          own.found && (
            <CardNotice
              text="You go on with a draft that you left here."
              action="Discard the draft"
              onAction={() => {
                own.discard();
                improve.forget();
              }}
            />
          )
        )}
        <input
          aria-label="Title"
          aria-invalid={error?.field("title") ? true : undefined}
          placeholder="Title (optional)"
          value={draft.title}
          maxLength={200}
          ref={title}
          dir="auto"
          onChange={(event) => set({ title: event.target.value })}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.metaKey || event.ctrlKey || event.nativeEvent.isComposing)
              return;
            event.preventDefault();
            description.current?.focus();
          }}
          className="-mx-2 rounded-md bg-transparent px-2 py-1 font-semibold text-xl outline-none placeholder:font-normal placeholder:text-faint focus-visible:bg-hover focus-visible:ring-2 focus-visible:ring-ring/40"
          // biome-ignore lint/a11y/noAutofocus: the window was opened to write
          autoFocus={feature === null}
        />
        <DescriptionField
          ref={description}
          // Of a card that is there, it is the text that one changes.
          autoFocus={feature !== null}
          value={draft.description}
          onChange={(text) => set({ description: text })}
          tools={improve.menu}
        />
        {improve.panel}
        {feature !== null && <StoredFiles featureId={feature.id} sending={sending} />}
        <QueuedFiles
          files={feature === null ? files : files.filter((file) => !sending.includes(file.name))}
          onRemove={(file) => setFiles(files.filter((entry) => entry !== file))}
        />
        <CardOptions
          projectId={projectId}
          self={feature?.id ?? null}
          draft={draft}
          onChange={set}
          categories={categoriesOf(board)}
          listId={listId}
          branchError={branchError}
        />
        {/* What is said at a field is not said twice. */}
        <FormError error={branchError === undefined ? error : null} />
        {stale && (
          <div className="flex gap-2">
            <Button size="sm" onClick={() => void save(false, true)}>
              Overwrite with mine
            </Button>
            <Button size="sm" variant="ghost" onClick={() => void takeTheirs()}>
              {t.unsaved.theirs}
            </Button>
          </div>
        )}
      </div>
      <div className="sticky bottom-0 flex flex-wrap items-center gap-2 border-line border-t bg-raised px-5 py-3">
        <input
          ref={picker}
          type="file"
          multiple
          className="hidden"
          tabIndex={-1}
          onChange={(event) => {
            void addFiles(event.target.files ?? []);
            event.target.value = "";
          }}
        />
        <Button variant="ghost" size="sm" onClick={() => picker.current?.click()}>
          <ImagePlus /> Attach
        </Button>
        <span className={cn("hidden text-faint text-xs sm:inline", !own.keeps && "sm:invisible")}>
          Draft kept on this device
        </span>
        <span className="ml-auto" />
        {feature === null && (
          <label className="mr-1 hidden items-center sm:flex gap-1.5 text-muted text-sm">
            <input
              type="checkbox"
              checked={more}
              onChange={(event) => {
                setMore(event.target.checked);
                localStorage.setItem(MORE, event.target.checked ? "yes" : "no");
              }}
              className="size-3.5 accent-accent"
            />
            Create more
          </label>
        )}
        {mayStart && (
          <Button disabled={empty} busy={busy === "start"} onClick={() => void save(true)}>
            {feature === null ? "Create and start" : "Save and start"}
          </Button>
        )}
        <Button
          variant="primary"
          disabled={empty || (feature !== null && !changed && files.length === 0)}
          busy={busy === "save"}
          onClick={() => void save(false)}
        >
          {feature === null ? "Create" : "Save"}
          <span className="hidden opacity-80 sm:inline">
            <Keys keys="mod+enter" />
          </span>
        </Button>
      </div>
    </div>
  );
}
