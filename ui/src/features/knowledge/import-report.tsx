import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Dropped } from "./archive";
import type { Imported } from "./importing";
import { pluralOf } from "./search";
import { words } from "./strings";

const m = words.move;
/** Names of files that are shown at most. */
const SHOWN = 20;

/** What came of an import. */
export function ImportReport({ done }: { done: Imported }) {
  return (
    <>
      <div role="status" className="rounded-md bg-green-soft px-3 py-2 text-green text-sm">
        {m.done(done.created, done.updated, done.unchanged)}
      </div>
      <Part
        title={m.skipped}
        className="bg-amber-soft text-amber"
        rows={done.skipped.map(({ file, similar }) => ({ file, more: <Like similar={similar} /> }))}
      />
      <Part
        title={m.failed}
        className="bg-red-soft text-red"
        rows={done.failed.map(({ file, why }) => ({ file, more: ` · ${why}` }))}
      />
      <Part
        title={m.unrelated}
        className="bg-amber-soft text-amber"
        rows={done.unrelated.map((file) => ({ file }))}
      />
    </>
  );
}

function Part({
  title,
  className,
  rows,
}: {
  title: string;
  className: string;
  rows: { file: Dropped; more?: ReactNode }[];
}) {
  if (rows.length === 0) return null;
  return (
    <section aria-label={title} className={`rounded-md px-3 py-2 text-sm ${className}`}>
      <p className="mb-1">{title}</p>
      <ul className="flex flex-col gap-1">
        {rows.slice(0, SHOWN).map(({ file, more }, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two files may have the same name
          <li key={at} className="[overflow-wrap:anywhere]">
            {file.name}
            {more}
          </li>
        ))}
        {rows.length > SHOWN && <li>{m.andMore(rows.length - SHOWN)}</li>}
      </ul>
    </section>
  );
}

/** What the hub says already. */
function Like({ similar: [first] }: { similar: Imported["skipped"][number]["similar"] }) {
  if (first === undefined) return null;
  return (
    <>
      {" · "}
      <Link
        to="/knowledge/$kind/$itemId"
        params={{ kind: pluralOf(first.kind), itemId: first.id }}
        className="underline"
      >
        {first.title}
      </Link>
    </>
  );
}
