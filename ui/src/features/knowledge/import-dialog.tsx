import { Upload } from "lucide-react";
import { type RefObject, useRef, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import { queryClient } from "@/app/query-client";
import { FormError } from "@/components/form-error";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { announce } from "@/lib/announce";
import { cn } from "@/lib/cn";
import { type Chosen, readChosen } from "./archive";
import { hub } from "./calls";
import { chosenOf, droppedOf } from "./chosen";
import { ImportFiles } from "./import-files";
import { ImportReport } from "./import-report";
import { Faulty, type Imported, importing } from "./importing";
import { added, type Listed, soundOf, without } from "./listed";
import { words } from "./strings";

const m = words.move;
const SHOWN = 8;
const NOTHING: Listed = { files: [], faulty: [] };

/** Brings Markdown files into the hub. */
export default function ImportDialog({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const [listed, setListed] = useState(NOTHING);
  const [over, setOver] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [done, setDone] = useState<Imported | null>(null);
  const [others, setOthers] = useState<string[]>([]);
  // Whether others had come in when some were found faulty.
  const [came, setCame] = useState(false);
  const chooser = useRef<HTMLButtonElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const folders = useRef<HTMLInputElement>(null);

  const add = async (chosen: Chosen[] | Promise<Chosen[]>) => {
    setError(null);
    setDone(null);
    try {
      const read = await readChosen(await chosen);
      setListed((before) => added(before, read.files));
      setOthers(read.others);
      announce(m.chosen(read.files.length));
    } catch (cause) {
      setError(asApiError(cause));
    }
  };
  const { files, faulty } = listed;
  const sound = soundOf(listed);
  const send = async (anyway: boolean) => {
    setBusy(true);
    setError(null);
    setOthers([]);
    setListed({ files: sound, faulty: [] });
    setCame(done !== null);
    try {
      for await (const told of importing(sound, anyway, hub.import)) {
        setDone(told);
        setCame(true);
        // What came in is not sent again with the rest: without an id in its file it would come in twice.
        const again = [...told.skipped, ...told.failed].map(({ file }) => file);
        setListed({ files: [...again, ...told.left], faulty: [] });
        announce(m.done(told.created, told.updated, told.unchanged));
      }
    } catch (cause) {
      if (cause instanceof Faulty) setListed(({ files }) => ({ files, faulty: cause.files }));
      else setError(asApiError(cause));
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
            <Button
              variant="ghost"
              disabled={busy}
              onClick={() => {
                setListed(NOTHING);
                chooser.current?.focus();
              }}
            >
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
            disabled={sound.length === 0 || alike}
            onClick={() => void send(false)}
          >
            {faulty.length > 0 && sound.length > 0 ? m.goOthers(sound.length) : m.go(files.length)}
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
            <Button ref={chooser} size="sm" onClick={() => picker.current?.click()}>
              {m.choose}
            </Button>
            <Button size="sm" onClick={() => folders.current?.click()}>
              {m.chooseFolder}
            </Button>
          </div>
          <Picker label={m.choose} ref={picker} onChosen={(chosen) => void add(chosen)} />
          <Picker label={m.chooseFolder} ref={folders} folder onChosen={(chosen) => void add(chosen)} />
        </div>
        {faulty.length > 0 && (
          <p role="alert" className="rounded-md bg-red-soft px-3 py-2 text-red text-sm">
            {m.faulty(faulty.length, came)}
          </p>
        )}
        <ImportFiles
          files={files}
          faulty={faulty}
          busy={busy}
          whenNone={chooser}
          onRemove={(gone) => setListed((before) => without(before, gone))}
        />
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
