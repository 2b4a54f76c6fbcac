import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { type ApiError, asApiError } from "@/api/error";
import { FormError } from "@/components/form-error";
import { Page } from "@/components/page";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Field, Input } from "@/components/ui/input";
import { Keys } from "@/components/ui/kbd";
import { toast } from "@/components/ui/toast";
import { cn } from "@/lib/cn";
import { Alike, alikeOf, SimilarItems } from "./alike";
import { Conflict } from "./conflict";
import { conflictOf, saveItem } from "./deeds";
import { BLANK, type Draft, draftOf, titleOf } from "./draft";
import { ItemForm } from "./form";
import { Notice } from "./item";
import { keyOf, useKept } from "./kept";
import * as labels from "./labels";
import { useName } from "./people";
import { useWriters, useWriting } from "./presence";
import { pluralOf } from "./search";
import { words } from "./strings";
import type { Item, Kind } from "./types";

const w = words.form;

/** What a new item comes from: a run, and a text of it. */
export interface Beginning {
  draft?: Partial<Draft>;
  runId?: string;
}

/** Where an item is written: a new one (`item` absent), or one that is there. */
export function Editor({
  kind,
  item,
  beginning = {},
  kindChoice,
  onDone,
}: {
  kind: Kind;
  item: Item | null;
  beginning?: Beginning;
  kindChoice?: ReactNode;
  /** The editor is left, with nothing saved or something. */
  onDone: () => void;
}) {
  const navigate = useNavigate();
  // A new one keeps its text when its kind is another.
  const key = item === null ? ["new", beginning.runId].filter(Boolean).join(".") : keyOf(item.id);
  const { draft, base, version, changed, found, ...kept } = useKept(key, () => {
    const base = item === null ? BLANK : draftOf(item);
    return { draft: { ...base, ...beginning.draft }, base, version: item?.version ?? 0 };
  });
  const [why, setWhy] = useState("");
  const [busy, setBusy] = useState(false);
  const [discarding, setDiscarding] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [theirs, setTheirs] = useState<Item | null>(null);
  const name = useName();
  const others = useWriters(item?.id ?? "");
  useWriting(item?.id ?? null);

  const lacks = draft.title.trim() === "" || draft.content.trim() === "";

  const save = async (anyway = false) => {
    if (lacks || busy || (item !== null && !changed)) return;
    setBusy(true);
    setError(null);
    try {
      const saved = await saveItem({ kind, id: item?.id ?? null, draft, version, why, anyway, beginning });
      kept.end();
      toast.done(item === null ? w.created : w.saved, titleOf(saved));
      if (item === null)
        void navigate({
          to: "/knowledge/$kind/$itemId",
          params: { kind: pluralOf(kind), itemId: saved.id },
          replace: true,
        });
      else onDone();
    } catch (cause) {
      const failed = asApiError(cause);
      const current = conflictOf(failed);
      if (current === null) setError(failed);
      else setTheirs(current);
    } finally {
      setBusy(false);
    }
  };
  const discard = () => {
    kept.end();
    onDone();
  };
  // Where the foot does not stay in sight, whoever saved is shown why that failed.
  const foot = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (error !== null) foot.current?.scrollIntoView({ block: "nearest" });
  }, [error]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    void save();
  };

  if (theirs !== null)
    return (
      <Page
        title={words.conflict.title}
        lead={words.conflict.text(name(theirs.updatedBy), theirs.version)}
        width="lg"
      >
        <Conflict
          kind={kind}
          base={base}
          mine={draft}
          theirs={draftOf(theirs)}
          onCancel={() => setTheirs(null)}
          onUse={(merged) => {
            kept.setAll({ draft: merged, base: draftOf(theirs), version: theirs.version });
            setTheirs(null);
            toast.done(words.conflict.joined);
          }}
        />
      </Page>
    );
  const alike = alikeOf(error);
  return (
    <Page
      title={item === null ? w.newTitle(labels.kindName[kind].one) : w.editTitle(titleOf(item))}
      lead={labels.kindName[kind].what}
      width="lg"
    >
      {/* biome-ignore lint/a11y/noStaticElementInteractions: it only takes the keys of its fields */}
      <div onKeyDown={onKeyDown} className="flex flex-col gap-5">
        <div className="flex flex-col gap-2 empty:hidden">
          {found && (
            <Notice
              action={
                <Button size="sm" onClick={kept.discard}>
                  {w.discard}
                </Button>
              }
            >
              {w.found}
            </Notice>
          )}
          {others.length > 0 && <Notice>{words.item.alsoWrites(others.join(", "))}</Notice>}
          {item !== null && item.version > version && (
            <Notice
              action={
                <Button size="sm" onClick={() => setTheirs(item)}>
                  {words.conflict.whole}
                </Button>
              }
            >
              {words.item.changedMeanwhile(name(item.updatedBy))}
            </Notice>
          )}
        </div>
        {kindChoice}
        <ItemForm
          kind={kind}
          draft={draft}
          onChange={kept.set}
          error={error}
          self={item?.id ?? null}
          focusTitle={item === null}
        />
        <SimilarItems kind={kind} title={draft.title} content={draft.content} self={item?.id ?? null} />
        {item !== null && (
          <Field label={w.why} help={w.whyHelp} optional>
            <Input value={why} maxLength={500} onChange={(event) => setWhy(event.target.value)} />
          </Field>
        )}
        <div
          ref={foot}
          className="sticky bottom-0 z-10 -mx-4 flex flex-wrap items-center gap-2 border-line border-t bg-canvas px-4 py-3 sm:-mx-8 sm:px-8 short:static"
        >
          <div className="scroll-thin max-h-40 w-full overflow-y-auto empty:hidden">
            {alike === null ? <FormError error={error} /> : <Alike items={alike} />}
          </div>
          <span className={cn("hidden text-faint text-xs sm:inline", !changed && "sm:invisible")}>
            {w.kept}
          </span>
          <span className="ml-auto" />
          {changed && (
            <Button variant="ghost" onClick={() => setDiscarding(true)}>
              {w.discard}
            </Button>
          )}
          <Button
            variant={changed ? undefined : "ghost"}
            title={changed ? w.kept : undefined}
            onClick={onDone}
          >
            {changed ? w.later : words.cancel}
          </Button>
          {alike !== null && (
            <Button busy={busy} onClick={() => void save(true)}>
              {w.anyway}
            </Button>
          )}
          <Button
            variant="primary"
            busy={busy}
            disabled={lacks || (item !== null && !changed)}
            title={lacks ? w.needTitle : undefined}
            onClick={() => void save()}
          >
            {item === null ? w.create : w.save}
            <span className="hidden sm:inline">
              <Keys keys="mod+enter" />
            </span>
          </Button>
        </div>
        <Confirm
          open={discarding}
          onOpenChange={setDiscarding}
          title={w.discardTitle}
          confirm={w.discard}
          danger
          onConfirm={discard}
        >
          {w.discardText}
        </Confirm>
      </div>
    </Page>
  );
}
