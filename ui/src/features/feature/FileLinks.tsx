import { FileText } from "lucide-react";
import { api } from "@/api/calls";
import type { Attachment } from "@/api/types";
import { cn } from "@/lib/cn";
import { bytes } from "@/lib/format";

/** Kept files: images as pictures, text files as chips; each opens in a tab of its own. */
export function FileLinks({
  files,
  label,
  className,
}: {
  files: readonly Attachment[];
  label: string;
  className?: string;
}) {
  if (files.length === 0) return null;
  return (
    <ul aria-label={label} className={cn("flex flex-wrap gap-2", className)}>
      {files.map((file) => (
        <li key={file.id}>
          <a
            href={api.attachmentUrl(file.id)}
            target="_blank"
            rel="noopener"
            title={`${file.name}, ${bytes(file.size)}`}
            className="block overflow-hidden rounded-lg border border-line bg-surface text-xs hover:border-line-strong"
          >
            {file.mediaType.startsWith("image/") ? (
              <img
                src={api.attachmentUrl(file.id)}
                alt={file.name}
                loading="lazy"
                className="h-24 max-w-56 object-cover"
              />
            ) : (
              <span className="flex items-center gap-1.5 px-2.5 py-1.5">
                <FileText aria-hidden className="size-3.5 text-faint" />
                <span className="max-w-48 truncate">{file.name}</span>
                <span className="num text-faint">{bytes(file.size)}</span>
              </span>
            )}
          </a>
        </li>
      ))}
    </ul>
  );
}
