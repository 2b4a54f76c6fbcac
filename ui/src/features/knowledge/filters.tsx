import { Tag, X } from "lucide-react";
import { useState } from "react";
import { useMembers } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { Select } from "@/components/ui/select";
import { typeName } from "./kind";
import * as labels from "./labels";
import { type HubSearch, isNarrowed, SPANS, type Span, typesOf } from "./search";
import { words } from "./strings";
import { type BlueprintStatus, ORIGINS, type Origin, REVIEWS, type Review, STATUSES } from "./types";

const ANY = "any";
const f = words.filters;
const SPAN_NAMES: Record<Span, string> = { "1": f.day, "7": f.week, "30": f.month, "365": f.year };

/** What narrows the list; kept in the address. */
export function Filters({ search, onChange }: { search: HubSearch; onChange: (search: HubSearch) => void }) {
  const { kind } = search;
  const members = useMembers().data ?? [];
  const set = (key: keyof HubSearch, value: string) => {
    const { [key]: _, ...rest } = search;
    onChange(value === ANY ? rest : { ...rest, [key]: value });
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw itself around a tool bar
    <div role="group" aria-label={f.label} className="flex flex-wrap items-center gap-1.5">
      <TagFilter tag={search.tag} onChange={(tag) => set("tag", tag ?? ANY)} />
      {kind !== undefined && (
        <Select<string>
          variant="chip"
          label={kind === "blueprint" ? f.category : f.type}
          value={search.type ?? ANY}
          onChange={(value) => set("type", value)}
          options={[
            { value: ANY, label: kind === "blueprint" ? f.anyCategory : f.anyType },
            ...typesOf(kind).map((type) => ({ value: type, label: typeName(kind, type) })),
          ]}
        />
      )}
      {kind === "blueprint" && (
        <Select<BlueprintStatus | typeof ANY>
          variant="chip"
          label={f.status}
          value={search.status ?? ANY}
          onChange={(value) => set("status", value)}
          options={[
            { value: ANY, label: f.anyStatus },
            ...STATUSES.map((status) => ({ value: status, label: labels.status[status] })),
          ]}
        />
      )}
      {kind === "learning" && (
        <Select<Review | typeof ANY>
          variant="chip"
          label={f.review}
          value={search.review ?? ANY}
          onChange={(value) => set("review", value)}
          options={[
            { value: ANY, label: f.anyReview },
            ...REVIEWS.map((review) => ({ value: review, label: labels.review[review] })),
          ]}
        />
      )}
      <Select<Origin | typeof ANY>
        variant="chip"
        label={f.origin}
        value={search.origin ?? ANY}
        onChange={(value) => set("origin", value)}
        options={[
          { value: ANY, label: f.anyOrigin },
          ...ORIGINS.map((origin) => ({ value: origin, label: labels.origin[origin] })),
        ]}
      />
      <Select<string>
        variant="chip"
        label={f.author}
        value={search.author ?? ANY}
        onChange={(value) => set("author", value)}
        options={[
          { value: ANY, label: f.anyAuthor },
          ...members.map((member) => ({ value: member.id, label: member.name })),
          // One who is not known here narrows the list, too, and can be taken away.
          ...(search.author !== undefined && !members.some((member) => member.id === search.author)
            ? [{ value: search.author, label: words.somebody }]
            : []),
        ]}
      />
      <Select<Span | typeof ANY>
        variant="chip"
        label={f.since}
        value={search.since ?? ANY}
        onChange={(value) => set("since", value)}
        options={[
          { value: ANY, label: f.anyTime },
          ...SPANS.map((span) => ({ value: span, label: SPAN_NAMES[span] })),
        ]}
      />
      {isNarrowed(search) && (
        <Button size="sm" variant="ghost" onClick={() => onChange(kind === undefined ? {} : { kind })}>
          {f.clear}
        </Button>
      )}
    </div>
  );
}

function TagFilter({
  tag,
  onChange,
}: {
  tag: string | undefined;
  onChange: (tag: string | undefined) => void;
}) {
  const [text, setText] = useState("");
  if (tag !== undefined)
    return (
      <span className="inline-flex h-7 max-w-48 items-center gap-1 rounded-md border border-accent bg-accent-soft pr-0.5 pl-2 text-accent-text text-sm">
        <Tag aria-hidden className="size-3.5 shrink-0" />
        <span className="truncate">{tag}</span>
        <button
          type="button"
          aria-label={f.removeTag(tag)}
          onClick={() => onChange(undefined)}
          className="flex size-6 shrink-0 items-center justify-center rounded hover:bg-hover"
        >
          <X aria-hidden className="size-3.5" />
        </button>
      </span>
    );
  const choose = () => {
    if (text.trim() !== "") onChange(text.trim());
    setText("");
  };
  return (
    <label className="inline-flex h-7 items-center gap-1.5 rounded-md border border-line px-2 text-muted text-sm focus-within:border-ring focus-within:ring-2 focus-within:ring-ring/30 hover:bg-hover">
      <Tag aria-hidden className="size-3.5" />
      <input
        aria-label={f.addTag}
        placeholder={f.tag}
        value={text}
        maxLength={40}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.nativeEvent.isComposing) return;
          event.preventDefault();
          choose();
        }}
        onBlur={choose}
        className="w-20 bg-transparent outline-none placeholder:text-muted"
      />
    </label>
  );
}
