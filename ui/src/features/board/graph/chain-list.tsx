import { Link } from "@tanstack/react-router";
import type { FeatureCard } from "@/api/types";
import { StatusBadge } from "@/components/status";
import { cn } from "@/lib/cn";
import { useBoardContext } from "../state";
import type { Chain } from "./chains";
import { graph as s } from "./strings";
import { numbers, relation } from "./words";

/** So many of those that hang together with no other are listed. */
const MOST = 200;
const FEW = 4;
/** How far to the right what comes later stands, at most. */
const DEEPEST = 4;
const INDENT = ["", "sm:ml-5", "sm:ml-10", "sm:ml-15", "sm:ml-20"];

/** The cards grouped by what they depend on: a chain each, in the order in which they can be built. */
export default function ChainList({
  chains,
  alone,
  openId,
}: {
  chains: readonly Chain[];
  alone: readonly FeatureCard[];
  openId: string | null;
}) {
  const { cards } = useBoardContext();
  return (
    <div className="mx-auto flex max-w-3xl flex-col gap-6 px-3 pt-1 pb-24 sm:px-4">
      {chains.map(({ links, ends }) => {
        const id = `chain-${links[0]?.card.id}`;
        return (
          <section key={id} aria-labelledby={id}>
            <h2 id={id} className="mb-2 font-medium text-sm">
              {s.leadsTo(endsOf(ends))}
            </h2>
            <ol className="flex flex-col gap-1.5">
              {links.map((link) => (
                <li key={link.card.id} className={INDENT[Math.min(link.layer, DEEPEST)]}>
                  <Row card={link.card} open={link.card.id === openId} note={relation(link, cards)} />
                </li>
              ))}
            </ol>
          </section>
        );
      })}
      {alone.length > 0 && (
        <details open={chains.length === 0}>
          <summary className="cursor-pointer rounded py-1 font-medium text-sm">
            {s.alone(alone.length)}
          </summary>
          <ul className="mt-2 flex flex-col gap-1.5">
            {alone.slice(0, MOST).map((card) => (
              <li key={card.id}>
                <Row card={card} open={card.id === openId} note={relation({ card, before: [] }, cards)} />
              </li>
            ))}
          </ul>
          {alone.length > MOST && (
            <p className="mt-2 text-faint text-xs">{s.aloneMore(alone.length - MOST)}</p>
          )}
        </details>
      )}
    </div>
  );
}

/** The last of a chain: one by its name, several by their numbers, and of many the first. */
function endsOf(ends: readonly FeatureCard[]): string {
  const [only] = ends;
  if (ends.length === 1 && only !== undefined) return `#${only.number} ${only.title}`;
  const more = ends.length - FEW;
  return more > 0 ? `${numbers(ends.slice(0, FEW))} ${s.more(more)}` : numbers(ends);
}

function Row({ card, open, note }: { card: FeatureCard; open: boolean; note: string }) {
  const { store, projectId } = useBoardContext();
  return (
    <Link
      to="/p/$projectId"
      params={{ projectId }}
      search={(search) => ({ ...search, f: card.id })}
      data-graph-card={card.id}
      onFocus={() =>
        store.set((state) => (state.current === card.id ? state : { ...state, current: card.id }))
      }
      onClick={(event) => event.detail === 0 && store.set((state) => ({ ...state, entered: card.id }))}
      className={cn(
        "flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 rounded-lg border bg-surface px-3 py-2 text-sm shadow-card hover:border-line-strong",
        open ? "border-accent" : "border-line",
      )}
    >
      <span dir="auto" className="min-w-40 flex-1 break-words font-medium">
        <span className="num font-normal text-faint text-xs">#{card.number}</span> {card.title}
      </span>
      <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
        {note !== "" && <span className="text-muted text-xs">{note}</span>}
        <StatusBadge status={card.status} stage={card.stage} />
      </span>
    </Link>
  );
}
