import { useQueryClient } from "@tanstack/react-query";
import { FileText, LoaderCircle, X } from "lucide-react";
import { useEffect, useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { useAttachments } from "@/api/queries";
import type { Attachment } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { bytes } from "@/lib/format";
import { MOST_FILES, refuseFile } from "./draft";

/** Lets through the files that can be attached where there is `room` for so many, and says why the others cannot. */
export function acceptFiles(files: Iterable<File>, room = Number.POSITIVE_INFINITY): File[] {
  const accepted: File[] = [];
  for (const file of files) {
    const why = refuseFile(file);
    if (why !== null) toast.done(why);
    else if (accepted.length < room) accepted.push(named(file));
    else toast.done(`${file.name} is not attached: a card takes ${MOST_FILES} files.`);
  }
  return accepted;
}

/** A pasted picture is always called `image.png`: the time keeps several apart. */
function named(file: File): File {
  if (file.name !== "image.png") return file;
  const stamp = new Date().toISOString().slice(11, 19).replaceAll(":", "");
  return new File([file], `pasted-${stamp}.png`, { type: file.type });
}

/** Files of a card that is not written yet; they are sent when it is. */
export function QueuedFiles({ files, onRemove }: { files: readonly File[]; onRemove: (file: File) => void }) {
  if (files.length === 0) return null;
  return (
    <ul className="flex flex-wrap gap-2" aria-label="Attachments">
      {files.map((file) => (
        <QueuedFile key={`${file.name}-${file.size}-${file.lastModified}`} file={file} onRemove={onRemove} />
      ))}
    </ul>
  );
}

function QueuedFile({ file, onRemove }: { file: File; onRemove: (file: File) => void }) {
  const [preview, setPreview] = useState<string | null>(null);
  useEffect(() => {
    if (!file.type.startsWith("image/")) return;
    const address = URL.createObjectURL(file);
    setPreview(address);
    return () => URL.revokeObjectURL(address);
  }, [file]);
  return <FileChip name={file.name} size={file.size} preview={preview} onRemove={() => onRemove(file)} />;
}

/** Files of a card that is there: sent and deleted at once. */
export function StoredFiles({ featureId, sending }: { featureId: string; sending: string[] }) {
  const client = useQueryClient();
  const attachments = useAttachments(featureId).data ?? [];
  if (attachments.length === 0 && sending.length === 0) return null;
  const remove = async (attachment: Attachment) => {
    try {
      await api.deleteAttachment(attachment.id);
      client.setQueryData<Attachment[]>(keys.attachments(featureId), (list) =>
        list?.filter((entry) => entry.id !== attachment.id),
      );
    } catch (cause) {
      toast.error(attachment.name, asApiError(cause));
    }
  };
  return (
    <ul className="flex flex-wrap gap-2" aria-label="Attachments">
      {attachments.map((attachment) => (
        <FileChip
          key={attachment.id}
          name={attachment.name}
          size={attachment.size}
          preview={attachment.mediaType.startsWith("image/") ? api.attachmentUrl(attachment.id) : null}
          onRemove={() => void remove(attachment)}
        />
      ))}
      {sending.map((name) => (
        <FileChip key={name} name={name} busy />
      ))}
    </ul>
  );
}

function FileChip({
  name,
  size,
  preview,
  busy,
  onRemove,
}: {
  name: string;
  size?: number;
  preview?: string | null;
  busy?: boolean;
  onRemove?: () => void;
}) {
  return (
    <li className="flex max-w-60 items-center gap-2 rounded-lg border border-line bg-surface p-1 pr-1.5 text-xs">
      <span className="flex size-9 shrink-0 items-center justify-center overflow-hidden rounded bg-sunken text-faint">
        {busy ? (
          <LoaderCircle aria-label="Sending" className="size-4 animate-spin-slow" />
        ) : preview ? (
          <img src={preview} alt="" className="size-full object-cover" />
        ) : (
          <FileText aria-hidden className="size-4" />
        )}
      </span>
      <span className="min-w-0 flex-1">
        <span className="block truncate">{name}</span>
        {size !== undefined && <span className="num block text-faint">{bytes(size)}</span>}
      </span>
      {onRemove && (
        <button
          type="button"
          aria-label={`Remove ${name}`}
          onClick={onRemove}
          className="rounded p-0.5 text-faint hover:bg-hover hover:text-ink"
        >
          <X className="size-3.5" />
        </button>
      )}
    </li>
  );
}
