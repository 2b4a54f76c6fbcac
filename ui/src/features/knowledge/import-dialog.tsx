import { Link } from "@tanstack/react-router";
import { FileText, Upload } from "lucide-react";
import { useRef, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import { queryClient } from "@/app/query-client";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { announce } from "@/lib/announce";
import { cn } from "@/lib/cn";
import { type Dropped, namedIn, plainName, readDropped, tarOf } from "./archive";
import { hub } from "./calls";
import { pluralOf } from "./search";
import { words } from "./strings";
import type { ImportReport } from "./types";

const m = words.move;
const SHOWN = 8;

/** Brings Markdown files into the hub. */
export default function ImportDialog({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const [files, setFiles] = useState<Dropped[]>([]);
  const [over, setOver] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [report, setReport] = useState<ImportReport | null>(null);
  const picker = useRef<HTMLInputElement>(null);

  const add = async (chosen: FileList) => {
    setError(null);
    setReport(null);
    try {
      const read = await readDropped([...chosen]);
      setFiles((before) => [...before, ...read]);
      announce(m.chosen(read.length));
    } catch (cause) {
      setError(asApiError(cause));
    }
  };
  const send = async (anyway: boolean) => {
    setBusy(true);
    setError(null);
    try {
      const done = await hub.import(tarOf(files), anyway);
      setReport(done);
      announce(m.done(done.created.length, done.updated.length, done.unchanged.length));
      // What came in is not sent again with the rest: without an id in its file it would come in twice.
      setFiles([...done.skipped, ...done.failed].flatMap(({ file }) => namedIn(files, file) ?? []));
      void queryClient.invalidateQueries({ queryKey: ["knowledge"] });
    } catch (cause) {
      setError(asApiError(cause));
    } finally {
      setBusy(false);
    }
  };
  const skipped = report?.skipped ?? [];
  const failed = report?.failed ?? [];
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={m.title}
      description={m.text}
      footer={
        <>
          {files.length > 0 && (
            <Button variant="ghost" disabled={busy} onClick={() => setFiles([])}>
              {m.clear}
            </Button>
          )}
          {skipped.length > 0 && (
            <Button busy={busy} onClick={() => void send(true)}>
              {m.anyway}
            </Button>
          )}
          <Button
            variant="primary"
            busy={busy}
            disabled={files.length === 0 || skipped.length > 0}
            onClick={() => void send(false)}
          >
            {m.go(files.length)}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3 px-5 pt-1 pb-4">
        {/* biome-ignore lint/a11y/noStaticElementInteractions: it only takes what is dropped on it; the button does the same */}
        <div
          onDragOver={(event) => {
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={(event) => {
            event.preventDefault();
            setOver(false);
            void add(event.dataTransfer.files);
          }}
          className={cn(
            "flex flex-col items-center gap-3 rounded-lg border-2 border-line-strong border-dashed px-4 py-8 text-center text-muted text-sm",
            over && "border-accent bg-accent-soft text-accent-text",
          )}
        >
          <Upload aria-hidden className="size-5" />
          <p>{m.drop}</p>
          <Button size="sm" onClick={() => picker.current?.click()}>
            {m.choose}
          </Button>
          <input
            ref={picker}
            type="file"
            multiple
            accept=".md,.markdown,.zip"
            aria-label={m.choose}
            tabIndex={-1}
            className="hidden"
            onChange={(event) => {
              if (event.target.files) void add(event.target.files);
              event.target.value = "";
            }}
          />
        </div>
        {files.length > 0 && (
          <ul className="flex flex-col gap-1 text-sm">
            {files.slice(0, SHOWN).map((file, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: two files may have the same name
              <li key={at} className="flex min-w-0 items-center gap-2">
                <FileText aria-hidden className="size-4 shrink-0 text-faint" />
                <span className="truncate">{file.name}</span>
              </li>
            ))}
            {files.length > SHOWN && <li className="text-faint">{m.andMore(files.length - SHOWN)}</li>}
          </ul>
        )}
        {report !== null && (
          <div role="status" className="rounded-md bg-green-soft px-3 py-2 text-green text-sm">
            {m.done(report.created.length, report.updated.length, report.unchanged.length)}
          </div>
        )}
        {skipped.length > 0 && (
          <section aria-label={m.skipped} className="rounded-md bg-amber-soft px-3 py-2 text-amber text-sm">
            <p className="mb-1">{m.skipped}</p>
            <ul className="flex flex-col gap-1">
              {skipped.map(({ file, similar }) => (
                <li key={file}>
                  {plainName(file)}
                  {similar[0] && (
                    <>
                      {" · "}
                      <Link
                        to="/knowledge/$kind/$itemId"
                        params={{ kind: pluralOf(similar[0].kind), itemId: similar[0].id }}
                        className="underline"
                      >
                        {similar[0].title}
                      </Link>
                    </>
                  )}
                </li>
              ))}
            </ul>
          </section>
        )}
        {failed.length > 0 && (
          <section aria-label={m.failed} className="rounded-md bg-red-soft px-3 py-2 text-red text-sm">
            <p className="mb-1">{m.failed}</p>
            <ul className="flex flex-col gap-1">
              {failed.map(({ file, why }) => (
                <li key={file}>
                  {plainName(file)} · {why}
                </li>
              ))}
            </ul>
          </section>
        )}
        <FormError error={error} />
      </div>
    </Dialog>
  );
}
