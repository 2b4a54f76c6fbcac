import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Plus, X } from "lucide-react";
import { useState } from "react";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Input } from "@/components/ui/input";
import { Popover } from "@/components/ui/popover";
import { announce } from "@/lib/announce";
import { titleOf } from "./draft";
import { KindIcon } from "./kind";
import { hubQueries } from "./queries";
import { words } from "./strings";
import { useDebounced } from "./use-debounced";

const w = words.form;
const MOST = 8;

/** Which items belong to this one. */
export function RelatedField({
  self,
  value,
  onChange,
}: {
  self: string | null;
  value: readonly string[];
  onChange: (value: string[]) => void;
}) {
  const [open, setOpen] = useState(false);
  return (
    <fieldset className="flex min-w-0 flex-col gap-1.5">
      <legend className="mb-1.5 font-medium text-sm">
        {w.related} <span className="ml-1 font-normal text-faint text-xs">optional</span>
      </legend>
      {value.length > 0 && (
        <ul className="flex flex-col gap-1">
          {value.map((id) => (
            <One key={id} id={id} onRemove={() => onChange(value.filter((other) => other !== id))} />
          ))}
        </ul>
      )}
      <Popover
        label={w.relatedFind}
        open={open}
        onOpenChange={setOpen}
        trigger={
          <Button size="sm" className="self-start">
            <Plus /> {w.relatedFind}
          </Button>
        }
        className="w-80"
      >
        <Find
          without={self === null ? value : [...value, self]}
          onFound={(id) => {
            onChange([...value, id]);
            setOpen(false);
          }}
        />
      </Popover>
    </fieldset>
  );
}

function One({ id, onRemove }: { id: string; onRemove: () => void }) {
  const query = useQuery(hubQueries.item(id));
  const found = query.data?.item;
  const title = found !== undefined ? titleOf(found) : query.isPending ? "…" : w.relatedGone;
  return (
    <li className="flex min-w-0 items-center gap-1.5 rounded-md bg-grey-soft px-2 py-0.5 text-sm">
      {found && <KindIcon kind={found.kind} className="size-3.5" />}
      <span className="min-w-0 flex-1 truncate">{title}</span>
      {found && found.deletedAt !== null && <Badge tone="grey">{words.deleted}</Badge>}
      <button
        type="button"
        aria-label={w.remove(title)}
        onClick={() => {
          onRemove();
          announce(w.removed(title));
        }}
        className="flex size-6 shrink-0 items-center justify-center rounded text-faint hover:bg-hover hover:text-ink"
      >
        <X aria-hidden className="size-3.5" />
      </button>
    </li>
  );
}

function Find({ without, onFound }: { without: readonly string[]; onFound: (id: string) => void }) {
  const [text, setText] = useState("");
  const q = useDebounced(text.trim(), 150);
  const list = useInfiniteQuery(hubQueries.search(q === "" ? {} : { q }));
  const found = (list.data?.pages[0]?.items ?? []).filter((hit) => !without.includes(hit.id)).slice(0, MOST);
  return (
    <div className="flex flex-col gap-2">
      <Input
        aria-label={w.relatedFind}
        placeholder={words.search}
        value={text}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.nativeEvent.isComposing) return;
          event.preventDefault();
          event.stopPropagation();
          if (found[0] && !list.isPlaceholderData) onFound(found[0].id);
        }}
      />
      {found.length === 0 ? (
        <p className="text-faint text-xs">{list.isPending ? words.searching : w.relatedNone}</p>
      ) : (
        <ul className="flex flex-col">
          {found.map((hit) => (
            <li key={hit.id}>
              <button
                type="button"
                onClick={() => onFound(hit.id)}
                className="flex w-full items-center gap-2 rounded-md px-2 py-1.5 text-left text-sm hover:bg-hover"
              >
                <KindIcon kind={hit.kind} />
                <span className="min-w-0 flex-1 truncate">{hit.title}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
