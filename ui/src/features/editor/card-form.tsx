import { useQueryClient } from "@tanstack/react-query";
import { ImagePlus } from "lucide-react";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { api } from "@/api/calls";
import { type ApiError, asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useBoard } from "@/api/queries";
import type { Attachment, Feature } from "@/api/types";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Keys } from "@/components/ui/kbd";
import { toast } from "@/components/ui/toast";
import { act } from "@/features/actions";
import { categoriesOf } from "@/features/board/filter";
import { cn } from "@/lib/cn";
import { putFeature } from "@/live/apply";
import { rememberFeature } from "@/live/recent";
import { CardOptions } from "./card-options";
import { DescriptionField } from "./description";
import { type Draft, saveDraft, toCreate, toPatch } from "./draft";
import { acceptFiles, QueuedFiles, StoredFiles } from "./files";
import { closeEditor } from "./store";

const MORE = "guildhall.create-more";

/** The form of a card, new (`feature` absent) or there already. */
export function CardForm({
  projectId,
  feature,
  draftKey,
  initial,
  draft: left,
  onReload,
}: {
  projectId: string;
  feature: Feature | null;
  draftKey: string;
  initial: Draft;
  /** What was typed before a reload. */
  draft: Draft | null;
  /** Takes the card as somebody else changed it. */
  onReload?: () => void;
}) {
  const client = useQueryClient();
  const [draft, setDraft] = useState(left ?? initial);
  const [files, setFiles] = useState<File[]>([]);
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
  const set = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  const patch = toPatch(draft, initial);
  const changed = Object.keys(patch).length > 0;
  const empty = draft.description.trim() === "" && draft.title.trim() === "";

  const done = useRef(false);
  useEffect(() => {
    const timer = setTimeout(() => {
      if (!done.current) saveDraft(draftKey, changed ? draft : null);
    }, 250);
    return () => clearTimeout(timer);
  }, [draft, draftKey, changed]);

  const addFiles = async (incoming: Iterable<File>) => {
    const accepted = acceptFiles(incoming);
    if (feature === null) return setFiles((before) => [...before, ...accepted]);
    for (const file of accepted) {
      setSending((before) => [...before, file.name]);
      try {
        const attachment = await api.attach(feature.id, file);
        client.setQueryData<Attachment[]>(keys.attachments(feature.id), (list) => [
          ...(list ?? []),
          attachment,
        ]);
      } catch (cause) {
        toast.error(file.name, asApiError(cause));
      } finally {
        setSending((before) => before.filter((name) => name !== file.name));
      }
    }
  };

  const create = async (): Promise<Feature> => {
    const written = await api.createFeature(projectId, toCreate(draft));
    rememberFeature(written);
    putFeature(client, written);
    for (const file of files) {
      try {
        await api.attach(written.id, file);
      } catch (cause) {
        toast.error(`${file.name} is not on the card`, asApiError(cause));
      }
    }
    return written;
  };

  const save = async (start: boolean, force = false) => {
    if (empty || busy !== null) return;
    setBusy(start ? "start" : "save");
    setError(null);
    try {
      let saved: Feature;
      if (feature === null) saved = await create();
      else {
        const expect = force ? {} : { expectVersion: feature.version };
        saved = changed ? await api.updateFeature(feature.id, { ...patch, ...expect }) : feature;
        rememberFeature(saved);
        putFeature(client, saved);
      }
      saveDraft(draftKey, null);
      if (feature === null && more) {
        // The next card: the choices stay, the words go.
        setDraft({ ...draft, title: "", description: "", dependencies: [] });
        setFiles([]);
        title.current?.focus();
      } else {
        done.current = true;
        closeEditor();
      }
      if (start) await act(client, saved.id, "start").catch(() => {});
      else if (feature === null) toast.done(`#${saved.number} is in the backlog`);
    } catch (cause) {
      setError(asApiError(cause));
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
        />
        {feature === null ? (
          <QueuedFiles files={files} onRemove={(file) => setFiles(files.filter((entry) => entry !== file))} />
        ) : (
          <StoredFiles featureId={feature.id} sending={sending} />
        )}
        <CardOptions
          projectId={projectId}
          self={feature?.id ?? null}
          draft={draft}
          onChange={set}
          categories={categoriesOf(board)}
          listId={listId}
        />
        <FormError error={error} />
        {stale && (
          <div className="flex gap-2">
            <Button size="sm" onClick={() => void save(false, true)}>
              Overwrite with mine
            </Button>
            <Button
              size="sm"
              variant="ghost"
              onClick={() => {
                saveDraft(draftKey, null);
                onReload?.();
              }}
            >
              Take theirs
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
        <span className={cn("hidden text-faint text-xs sm:inline", !changed && "sm:invisible")}>
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
          disabled={empty || (feature !== null && !changed)}
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
