import { Link } from "@tanstack/react-router";
import { Markdown } from "@/components/markdown";
import { PriorityIcon } from "@/components/priority";
import { type Made, madeCards, type Planned, partsOf, plannedCards } from "./parts";
import { w } from "./strings";

/** A value that was given or made: words as Markdown, cards as cards, other data as it is written. */
export function Shown({ value }: { value: unknown }) {
  if (typeof value !== "string") return <Data value={value} />;
  return partsOf(value).map((part, at) =>
    "words" in part ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text have no other name.
      <Markdown key={at} text={part.words} className="text-sm" />
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: as above.
      <Data key={at} value={part.data} />
    ),
  );
}

function Data({ value }: { value: unknown }) {
  const made = madeCards(value);
  if (made !== null) return <MadeCards cards={made} />;
  const planned = plannedCards(value);
  if (planned !== null) return <PlannedCards cards={planned} />;
  return (
    <pre className="whitespace-pre-wrap wrap-anywhere rounded-lg bg-sunken p-3 text-xs">
      {JSON.stringify(value, null, 2)}
    </pre>
  );
}

function PlannedCards({ cards }: { cards: Planned[] }) {
  return (
    <ol aria-label={w.execution.planned(cards.length)} className="flex flex-col gap-2">
      {cards.map((card, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a card that does not exist yet has no other name.
        <li key={at} className="rounded-lg border border-line bg-surface px-3 py-2.5 shadow-card">
          <p className="flex items-start gap-2 text-sm">
            <span className="num text-faint">{at + 1}</span>
            <span className="min-w-0 flex-1 font-medium wrap-anywhere">{card.title}</span>
            {card.priority !== undefined && (
              <PriorityIcon priority={card.priority} className="mt-0.5 size-4" />
            )}
          </p>
          {card.category !== "" && <p className="text-faint text-xs">{card.category}</p>}
          {card.after.length > 0 && <After places={card.after} own={at + 1} />}
          <Markdown text={card.description} className="mt-1.5 text-sm" />
        </li>
      ))}
    </ol>
  );
}

/** What a card waits for. What does not stand before it is refused when the cards are made, so that is told before. */
function After({ places, own }: { places: number[]; own: number }) {
  const wrong = places.filter((place) => place < 1 || place >= own);
  return (
    <>
      <p className="text-faint text-xs">{w.execution.after(places)}</p>
      {wrong.length > 0 && <p className="text-red text-xs">{w.execution.notBefore(wrong)}</p>}
    </>
  );
}

function MadeCards({ cards }: { cards: Made[] }) {
  return (
    <ul className="flex flex-col gap-1 text-sm">
      {cards.map((card) => (
        <li key={card.id} className="flex gap-2">
          <span className="num text-faint">#{card.number}</span>
          <Link
            to="/f/$featureId"
            params={{ featureId: card.id }}
            className="min-w-0 text-accent-text underline underline-offset-2 wrap-anywhere"
          >
            {card.title}
          </Link>
        </li>
      ))}
    </ul>
  );
}
