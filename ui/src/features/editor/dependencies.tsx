import { Check, Link2, X } from "lucide-react";
import { useMemo, useState } from "react";
import { useBoard } from "@/api/queries";
import type { FeatureCard } from "@/api/types";
import { StatusIcon } from "@/components/status";
import { Input } from "@/components/ui/input";
import { Popover } from "@/components/ui/popover";
import { cn } from "@/lib/cn";
import { rank } from "@/lib/search";

const MOST = 30;

/** Chooses the cards that must be verified or completed first. */
export function DependencyPicker({
  projectId,
  self,
  value,
  onChange,
}: {
  projectId: string;
  self: string | null;
  value: string[];
  onChange: (value: string[]) => void;
}) {
  const cards = useBoard(projectId).data;
  const [text, setText] = useState("");
  const found = useMemo(() => {
    const others = (cards ?? []).filter((card) => card.id !== self);
    if (text.trim() !== "")
      return rank(text, others, (card) => `#${card.number} ${card.title} ${card.category}`).slice(0, MOST);
    // Chosen ones first, then what is still open, the latest first.
    const weight = (card: FeatureCard) =>
      (value.includes(card.id) ? 2 : 0) + (card.status === "completed" ? 0 : 1);
    return others.sort((a, b) => weight(b) - weight(a) || b.number - a.number).slice(0, MOST);
  }, [cards, self, text, value]);
  const flip = (id: string) =>
    onChange(value.includes(id) ? value.filter((entry) => entry !== id) : [...value, id]);
  return (
    <Popover
      label="Dependencies"
      className="w-84 p-0"
      onOpenChange={() => setText("")}
      trigger={
        <button
          type="button"
          className="inline-flex h-7 items-center gap-1.5 rounded-md border border-line px-2 text-muted text-sm hover:bg-hover hover:text-ink data-popup-open:bg-hover"
        >
          <Link2 aria-hidden className="size-3.5" />
          {value.length === 0 ? "Depends on…" : `Depends on ${value.length}`}
        </button>
      }
    >
      <div className="p-2">
        <Input
          autoFocus
          aria-label="Search the cards"
          placeholder="Search the cards"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <ul className="max-h-72 overflow-y-auto px-1 pb-1 scroll-thin">
        {found.map((card) => {
          const chosen = value.includes(card.id);
          return (
            <li key={card.id}>
              <button
                type="button"
                aria-pressed={chosen}
                onClick={() => flip(card.id)}
                className="flex w-full items-center gap-2 rounded-md px-2 py-1.5 text-left text-sm hover:bg-hover"
              >
                <StatusIcon status={card.status} className="animate-none" />
                <span className="num w-8 shrink-0 text-faint text-xs">#{card.number}</span>
                <span className="min-w-0 flex-1 truncate">{card.title}</span>
                <Check aria-hidden className={cn("size-4 text-accent-text", !chosen && "invisible")} />
              </button>
            </li>
          );
        })}
        {found.length === 0 && <li className="px-3 py-6 text-center text-faint text-xs">No other card.</li>}
      </ul>
    </Popover>
  );
}

/** The chosen ones, each to be taken away again. */
export function DependencyList({
  projectId,
  value,
  onChange,
}: {
  projectId: string;
  value: string[];
  onChange: (value: string[]) => void;
}) {
  const cards = useBoard(projectId).data;
  if (value.length === 0) return null;
  return (
    <ul className="flex flex-wrap gap-1.5" aria-label="Dependencies">
      {value.map((id) => {
        const card = cards?.find((entry) => entry.id === id);
        return (
          <li
            key={id}
            className="inline-flex max-w-72 items-center gap-1.5 rounded-full bg-grey-soft py-0.5 pr-1 pl-2 text-muted text-xs"
          >
            {card && <StatusIcon status={card.status} className="size-3.5 animate-none" />}
            <span className="truncate">{card ? `#${card.number} ${card.title}` : "A deleted card"}</span>
            <button
              type="button"
              aria-label={`No longer depends on ${card ? `#${card.number}` : "it"}`}
              onClick={() => onChange(value.filter((entry) => entry !== id))}
              className="rounded-full p-0.5 hover:bg-hover hover:text-ink"
            >
              <X className="size-3" />
            </button>
          </li>
        );
      })}
    </ul>
  );
}
