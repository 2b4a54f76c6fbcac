import { CodeXml, Tag, X } from "lucide-react";
import { type ReactNode, useState } from "react";
import { useMembers } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { Select } from "@/components/ui/select";
import { typeName } from "./kind";
import * as labels from "./labels";
import { type HubSearch, isNarrowed, SPANS, type Span, typesOf } from "./search";
import { words } from "./strings";
import {
  type BlueprintStatus,
  CONFIDENCES,
  type Confidence,
  ORIGINS,
  type Origin,
  REVIEWS,
  type Review,
  STATUSES,
} from "./types";

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
      <WordFilter
        icon={<Tag />}
        value={search.tag}
        onChange={(tag) => set("tag", tag ?? ANY)}
        name={f.tag}
        add={f.addTag}
        remove={f.removeTag}
      />
      <WordFilter
        icon={<CodeXml />}
        value={search.language}
        onChange={(language) => set("language", language ?? ANY)}
        name={f.language}
        add={f.addLanguage}
        remove={f.removeLanguage}
      />
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
      {kind === "learning" && (
        <Select<Confidence | typeof ANY>
          variant="chip"
          label={f.confidence}
          value={search.confidence ?? ANY}
          onChange={(value) => set("confidence", value)}
          options={[
            { value: ANY, label: f.anyConfidence },
            ...CONFIDENCES.map((sure) => ({
              value: sure,
              label: `${f.confidence}: ${labels.confidence[sure].toLowerCase()}`,
            })),
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

/** A word by which the list is narrowed: typed, and then shown with the way to take it off. */
function WordFilter({
  icon,
  value,
  onChange,
  name,
  add,
  remove,
}: {
  icon: ReactNode;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
  name: string;
  add: string;
  remove: (value: string) => string;
}) {
  const [text, setText] = useState("");
  if (value !== undefined)
    return (
      <span className="inline-flex h-7 max-w-48 items-center gap-1 rounded-md border border-accent bg-accent-soft pr-0.5 pl-2 text-accent-text text-sm">
        <span aria-hidden className="shrink-0 [&_svg]:size-3.5">
          {icon}
        </span>
        <span className="truncate">{value}</span>
        <button
          type="button"
          aria-label={remove(value)}
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
      <span aria-hidden className="[&_svg]:size-3.5">
        {icon}
      </span>
      <input
        aria-label={add}
        placeholder={name}
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
