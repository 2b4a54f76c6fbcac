import { FileText, Upload } from "lucide-react";
import { type RefObject, useRef, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import { queryClient } from "@/app/query-client";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { announce } from "@/lib/announce";
import { cn } from "@/lib/cn";
import { type Chosen, type Dropped, readChosen } from "./archive";
import { hub } from "./calls";
import { chosenOf, droppedOf } from "./chosen";
import { ImportReport } from "./import-report";
import { type Imported, importing } from "./importing";
import { words } from "./strings";

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
  const [done, setDone] = useState<Imported | null>(null);
  const [others, setOthers] = useState<string[]>([]);
  const picker = useRef<HTMLInputElement>(null);
  const folders = useRef<HTMLInputElement>(null);

  const add = async (chosen: Chosen[] | Promise<Chosen[]>) => {
    setError(null);
    setDone(null);
    try {
      const read = await readChosen(await chosen);
      setFiles((before) => [...before, ...read.files]);
      setOthers(read.others);
      announce(m.chosen(read.files.length));
    } catch (cause) {
      setError(asApiError(cause));
    }
  };
  const send = async (anyway: boolean) => {
    setBusy(true);
    setError(null);
    setOthers([]);
    try {
      for await (const told of importing(files, anyway, hub.import)) {
        setDone(told);
        // What came in is not sent again with the rest: without an id in its file it would come in twice.
        setFiles([...[...told.skipped, ...told.failed].map(({ file }) => file), ...told.left]);
        announce(m.done(told.created, told.updated, told.unchanged));
      }
    } catch (cause) {
      setError(asApiError(cause));
    } finally {
      setBusy(false);
      void queryClient.invalidateQueries({ queryKey: ["knowledge"] });
    }
  };
  // All were sent, and some of them are in the hub already.
  const alike = done !== null && done.skipped.length > 0 && done.left.length === 0;
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
          {alike && (
            <Button busy={busy} onClick={() => void send(true)}>
              {m.anyway}
            </Button>
          )}
          <Button
            variant="primary"
            busy={busy}
            disabled={files.length === 0 || alike}
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
            void add(droppedOf(event.dataTransfer));
          }}
          className={cn(
            "flex flex-col items-center gap-3 rounded-lg border-2 border-line-strong border-dashed px-4 py-8 text-center text-muted text-sm",
            over && "border-accent bg-accent-soft text-accent-text",
          )}
        >
          <Upload aria-hidden className="size-5" />
          <p>{m.drop}</p>
          <div className="flex flex-wrap justify-center gap-2">
            <Button size="sm" onClick={() => picker.current?.click()}>
              {m.choose}
            </Button>
            <Button size="sm" onClick={() => folders.current?.click()}>
              {m.chooseFolder}
            </Button>
          </div>
          <Picker label={m.choose} ref={picker} onChosen={(chosen) => void add(chosen)} />
          <Picker label={m.chooseFolder} ref={folders} folder onChosen={(chosen) => void add(chosen)} />
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
        {others.length > 0 && (
          <p role="status" className="text-faint text-sm [overflow-wrap:anywhere]">
            {m.others} {others.slice(0, SHOWN).join(", ")}
            {others.length > SHOWN && ` ${m.andMore(others.length - SHOWN)}`}
          </p>
        )}
        {done !== null && <ImportReport done={done} />}
        <FormError error={error} />
      </div>
    </Dialog>
  );
}

/** Where the browser lets one choose: files, or a folder with all that is in it. */
function Picker({
  label,
  folder,
  ref,
  onChosen,
}: {
  label: string;
  folder?: boolean;
  ref: RefObject<HTMLInputElement | null>;
  onChosen: (chosen: Chosen[]) => void;
}) {
  return (
    <input
      ref={(input) => {
        ref.current = input;
        // React does not know this word.
        if (folder) input?.setAttribute("webkitdirectory", "");
      }}
      type="file"
      multiple
      {...(folder ? {} : { accept: ".md,.markdown,.tar,.zip" })}
      aria-label={label}
      tabIndex={-1}
      className="hidden"
      onChange={(event) => {
        if (event.target.files) onChosen(chosenOf(event.target.files));
        event.target.value = "";
      }}
    />
  );
}
