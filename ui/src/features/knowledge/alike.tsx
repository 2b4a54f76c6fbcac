import { useQuery } from "@tanstack/react-query";
import { ExternalLink } from "lucide-react";
import type { ApiError } from "@/api/error";
import { KindIcon } from "./kind";
import { hubQueries } from "./queries";
import { pluralOf } from "./search";
import { words } from "./strings";
import type { Kind, Similar } from "./types";
import { useDebounced } from "./use-debounced";

const SETTLED_MS = 600;
/** So much of the text says what it is about; more does not fit into an address. */
const MOST = 2_000;

/** What the server found too much like a new item, if that is why it was refused. */
export function alikeOf(error: ApiError | null): Similar[] | null {
  const { similar } = error?.extras ?? {};
  return error?.code === "near-duplicate" && Array.isArray(similar) && similar.length > 0
    ? (similar as Similar[])
    : null;
}

/** Looks, while one writes, whether much the same is in the hub already. */
export function SimilarItems({
  kind,
  title,
  content,
  self,
  label = words.form.similar,
}: {
  kind: Kind;
  title: string;
  content: string;
  self: string | null;
  label?: string;
}) {
  const asked = useDebounced(`${title.trim()}\n${content.slice(0, MOST).trim()}`, SETTLED_MS);
  const at = asked.indexOf("\n");
  const found = useQuery(hubQueries.similar(kind, asked.slice(0, at), asked.slice(at + 1), self));
  const items = found.data ?? [];
  if (items.length === 0) return null;
  return (
    <section aria-label={label} className="rounded-lg border border-line bg-sunken px-3 py-2">
      <h2 className="mb-1 font-medium text-muted text-xs">{label}</h2>
      <SimilarList items={items} />
    </section>
  );
}

/** Why a new item was refused: much the same is there. */
export function Alike({ items }: { items: Similar[] }) {
  return (
    <div role="alert" className="flex flex-col gap-1.5 rounded-md bg-amber-soft px-3 py-2 text-amber text-sm">
      <p>{words.form.alike}</p>
      <SimilarList items={items} />
    </div>
  );
}

function SimilarList({ items }: { items: Similar[] }) {
  return (
    <ul className="flex flex-col gap-0.5">
      {items.map((one) => (
        <li key={one.id} className="flex min-w-0 items-center gap-2 text-sm">
          <KindIcon kind={one.kind} />
          <a
            href={`/knowledge/${pluralOf(one.kind)}/${one.id}`}
            target="_blank"
            rel="noopener"
            className="inline-flex min-w-0 items-center gap-1 rounded text-accent-text underline-offset-2 hover:underline"
          >
            <span className="truncate">{one.title}</span>
            <ExternalLink aria-hidden className="size-3 shrink-0" />
            <span className="sr-only">({words.form.opens})</span>
          </a>
          <span className="num ml-auto shrink-0 text-faint text-xs">{words.form.likeness(one.likeness)}</span>
        </li>
      ))}
    </ul>
  );
}
