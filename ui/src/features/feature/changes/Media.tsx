import { use, useState } from "react";
import { api } from "@/api/calls";
import type { DiffFile } from "@/api/types";
import { s } from "../strings";
import { DiffContext } from "./context";

const IMAGE = /\.(png|jpe?g|gif|webp|ico)$/i;

/** A file without text: pictures before and after, a word for the rest. */
export function Media({ file }: { file: DiffFile }) {
  const { featureId } = use(DiffContext);
  if (!IMAGE.test(file.newPath)) {
    return <p className="px-4 py-3 text-faint text-sm">{s.changes.binary}</p>;
  }
  return (
    <div className="grid gap-3 p-4 @xl:grid-cols-2">
      {file.status !== "added" && (
        <Picture
          label={s.changes.before}
          src={api.fileUrl(featureId, file.oldPath, "base")}
          tone="text-red"
        />
      )}
      {file.status !== "deleted" && (
        <Picture
          label={s.changes.after}
          src={api.fileUrl(featureId, file.newPath, "head")}
          tone="text-green"
        />
      )}
    </div>
  );
}

function Picture({ label, src, tone }: { label: string; src: string; tone: string }) {
  const [size, setSize] = useState<string | null>(null);
  return (
    <figure className="flex min-w-0 flex-col items-center gap-1.5">
      <div className="flex min-h-24 w-full items-center justify-center rounded-lg border border-line bg-[repeating-conic-gradient(var(--sunken)_0_25%,var(--surface)_0_50%)] bg-size-[1rem_1rem] p-3">
        <img
          src={src}
          alt={label}
          loading="lazy"
          onLoad={({ currentTarget: image }) => setSize(`${image.naturalWidth} × ${image.naturalHeight}`)}
          className="max-h-96 max-w-full"
        />
      </div>
      <figcaption className="text-xs">
        <span className={tone}>{label}</span> {size && <span className="num text-faint">{size}</span>}
      </figcaption>
    </figure>
  );
}
