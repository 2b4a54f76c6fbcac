import { Workflow } from "lucide-react";
import { lazy, Suspense, useMemo, useState } from "react";
import type { FeatureCard } from "@/api/types";
import { Empty } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Segments } from "@/components/ui/segments";
import { Skeleton } from "@/components/ui/skeleton";
import { useMedia } from "@/lib/media";
import type { BoardSearch } from "@/router";
import { useBoardContext } from "../state";
import ChainList from "./chain-list";
import { chainsOf } from "./chains";
import { graph as s } from "./strings";

const Graph = lazy(() => import("./graph"));

/** Which card depends on which: drawn, or as a list, which a narrow screen always has. */
export default function Dependencies({
  cards,
  view,
  openId,
  onView,
}: {
  /** Those that the filter lets through. */
  cards: readonly FeatureCard[];
  view: "graph" | "list";
  openId: string | null;
  onView: (view: BoardSearch["view"]) => void;
}) {
  const narrow = useMedia("(max-width: 47.99rem)");
  const [completed, setCompleted] = useState(false);
  const { chains, alone } = useMemo(
    () => chainsOf(completed ? cards : cards.filter((card) => card.status !== "completed")),
    [cards, completed],
  );
  const { cards: all } = useBoardContext();
  const filtered =
    cards.length < all.size && [...all.values()].some((card) => card.dependencies.some((id) => all.has(id)));
  const drawn = view === "graph" && !narrow;
  const count = chains.reduce((sum, { links }) => sum + links.length, 0);
  const hidden = !completed && cards.some((card) => card.status === "completed");
  return (
    <div className="flex h-full flex-col">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 px-3 pb-2 sm:px-4">
        {!narrow && (
          <Segments
            label={s.how}
            value={view}
            onChange={onView}
            options={[
              { value: "graph", label: s.drawn },
              { value: "list", label: s.list },
            ]}
          />
        )}
        <label className="flex items-center gap-2 text-sm pointer-coarse:min-h-9">
          <input
            type="checkbox"
            checked={completed}
            onChange={(event) => setCompleted(event.target.checked)}
            className="size-4 accent-(--accent)"
          />
          {s.completed}
        </label>
        <p className="num text-faint text-xs" aria-live="polite">
          {s.chains(chains.length, count)}
        </p>
        {drawn && chains.length > 0 && <p className="text-faint text-xs max-lg:hidden">{s.legend}</p>}
      </div>
      <div className={drawn ? "min-h-0 flex-1" : "min-h-0 flex-1 overflow-y-auto scroll-thin"}>
        {chains.length === 0 && (drawn || alone.length === 0) ? (
          <Empty
            icon={<Workflow />}
            title={filtered ? s.noneShown : s.none}
            action={<Button onClick={() => onView(undefined)}>{s.toBoard}</Button>}
          >
            {filtered ? s.noneShownText : hidden ? s.noneOpen : s.noneText}
          </Empty>
        ) : drawn ? (
          <Suspense fallback={<Skeleton className="mx-4 h-full rounded-xl" />}>
            {/* What is added by that choice is fitted in anew. */}
            <Graph key={String(completed)} chains={chains} openId={openId} />
          </Suspense>
        ) : (
          <ChainList chains={chains} alone={alone} openId={openId} />
        )}
      </div>
    </div>
  );
}
