import { Link } from "@tanstack/react-router";
import { Tag } from "lucide-react";
import { cn } from "@/lib/cn";
import { Time } from "@/lib/time";
import { KindSign, ReviewBadge, StatusBadge, typeName } from "./kind";
import * as labels from "./labels";
import { useFresh } from "./live";
import { Marked } from "./marked";
import { useName } from "./people";
import { pluralOf } from "./search";
import { words } from "./strings";
import type { Hit } from "./types";

/** One item in the list. */
export function Row({ hit, onTag }: { hit: Hit; onTag?: (tag: string) => void }) {
  const fresh = useFresh(hit.id);
  const name = useName();
  const { snippet } = hit;
  return (
    <li
      className={cn(
        "group relative flex items-start gap-3 px-4 py-3 transition-colors duration-700 hover:bg-hover has-[[data-item]:focus-visible]:bg-hover",
        fresh && "bg-accent-soft/60",
      )}
    >
      <KindSign kind={hit.kind} className="mt-0.5" />
      <div className="min-w-0 flex-1">
        <div className="flex flex-wrap items-baseline gap-x-2 gap-y-0.5">
          <h2 className="min-w-0 font-medium text-sm">
            <Link
              to="/knowledge/$kind/$itemId"
              params={{ kind: pluralOf(hit.kind), itemId: hit.id }}
              data-item={hit.id}
              className="outline-none [overflow-wrap:anywhere] after:absolute after:inset-0 focus-visible:underline"
            >
              {hit.title}
            </Link>
          </h2>
          {hit.review !== "accepted" && <ReviewBadge review={hit.review} />}
          {/* That agents are given it is the rule. */}
          {hit.status !== undefined && hit.status !== "active" && <StatusBadge status={hit.status} />}
        </div>
        {snippet.marks.length > 0 ? (
          <p className="mt-0.5 line-clamp-2 text-muted text-sm [overflow-wrap:anywhere]">
            <Marked snippet={snippet} />
          </p>
        ) : (
          (hit.description || snippet.text) && (
            <p className="mt-0.5 line-clamp-2 text-muted text-sm [overflow-wrap:anywhere]">
              {hit.description || snippet.text}
            </p>
          )
        )}
        <p className="num mt-1 flex flex-wrap items-center gap-x-2.5 gap-y-1 text-faint text-xs">
          <span>
            {labels.kindName[hit.kind].one} · {typeName(hit.kind, hit.type)}
          </span>
          <span>{words.by[hit.origin](name(hit.createdBy))}</span>
          <Time at={hit.updatedAt} />
          {hit.successCount + hit.failureCount > 0 && (
            <span>{words.helped(hit.successCount, hit.successCount + hit.failureCount)}</span>
          )}
          {onTag &&
            hit.tags.map((tag) => (
              <button
                key={tag}
                type="button"
                title={words.filters.addTag}
                aria-label={`${words.filters.addTag}: ${tag}`}
                onClick={() => onTag(tag)}
                className="relative inline-flex max-w-40 items-center gap-0.5 rounded hover:text-ink"
              >
                <Tag aria-hidden className="size-3 shrink-0" />
                <span className="truncate">{tag}</span>
              </button>
            ))}
        </p>
      </div>
    </li>
  );
}
