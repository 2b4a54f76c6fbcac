import { Link } from "@tanstack/react-router";
import { FolderDown, ListFilter, Plus, Search, Settings2, SquareKanban, Workflow, X } from "lucide-react";
import { lazy, type ReactNode, type Ref, Suspense, useEffect, useId, useState } from "react";
import type { FeatureCard, Project } from "@/api/types";
import { PriorityIcon } from "@/components/priority";
import { Button } from "@/components/ui/button";
import { Kbd } from "@/components/ui/kbd";
import { Tooltip } from "@/components/ui/tooltip";
import { AutoModeRoom } from "@/features/auto/room";
import { openEditor } from "@/features/editor/store";
import { cn } from "@/lib/cn";
import { exactMoney, money, plural } from "@/lib/format";
import { lazyOrNothing } from "@/lib/lazy-or-nothing";
import type { BoardSearch } from "@/router";
import * as words from "@/strings";
import { ANY, Choice } from "./choice";
import { categoriesOf, choicesOf, EVERYTHING, type Filter, isFiltered } from "./filter";
import { board as s } from "./strings";

const AutoModeControl = lazy(() => import("@/features/auto/control"));
const WhoseCards = lazyOrNothing(() => import("./whose"));

/** The board's head: its name, what is looked for, and the way to a new card. */
export function BoardToolbar({
  project,
  cards,
  shown,
  said,
  filter,
  onFilter,
  mayBuild,
  inputRef,
  filtering,
  onFiltering,
  view,
}: {
  project: Project | undefined;
  cards: FeatureCard[];
  shown: number;
  /** What is missing from those. */
  said: ReactNode;
  filter: Filter;
  onFilter: (change: Partial<BoardSearch>) => void;
  mayBuild: boolean;
  inputRef: Ref<HTMLInputElement>;
  /** Where the board is narrow, the filters are shown only when they are asked for. */
  filtering: boolean;
  onFiltering: (filtering: boolean) => void;
  /** How the cards are shown where not in columns. */
  view: BoardSearch["view"];
}) {
  // The field answers at once; the address follows when the typing pauses.
  const [text, setText] = useState(filter.text);
  const [told, setTold] = useState(filter.text);
  if (filter.text !== told) {
    setTold(filter.text);
    setText(filter.text);
  }
  useEffect(() => {
    if (text === told) return;
    const timer = setTimeout(() => onFilter({ q: text }), 120);
    return () => clearTimeout(timer);
  }, [text, told, onFilter]);

  const filters = useId();
  const categories = categoriesOf(cards);
  const whose = choicesOf(cards);
  const cost = cards.reduce((sum, card) => sum + card.costMicros, 0);
  return (
    <header className="@container flex-none px-3 pt-2.5 pb-2 sm:px-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="flex min-w-0 flex-1 basis-0 items-baseline gap-3">
          <h1 dir="auto" title={project?.name} className="truncate font-semibold text-lg tracking-tight">
            {project?.name ?? " "}
          </h1>
          {cards.length > 0 && (
            <p className="num hidden whitespace-nowrap text-faint text-xs @md:block" aria-live="polite">
              {isFiltered(filter)
                ? `${shown} of ${plural(cards.length, "card")}`
                : plural(cards.length, "card")}
              {cost > 0 && <span title={exactMoney(cost)}> · {money(cost)}</span>}
            </p>
          )}
          <Suspense>{said}</Suspense>
        </div>
        <div
          id={filters}
          hidden={cards.length === 0}
          className={cn(
            "order-last w-full min-w-0 flex-wrap items-center gap-1.5 @3xl:order-none @3xl:flex @3xl:w-auto @3xl:flex-nowrap [&[hidden]]:hidden",
            filtering ? "flex" : "hidden",
          )}
        >
          <div className="relative min-w-24 flex-1 @3xl:w-36 @3xl:flex-none @4xl:w-52">
            <Search
              aria-hidden
              className="pointer-events-none absolute top-1/2 left-2 size-3.5 -translate-y-1/2 text-faint"
            />
            <input
              ref={inputRef}
              type="search"
              aria-label="Filter the cards"
              placeholder="Filter"
              value={text}
              onChange={(event) => setText(event.target.value)}
              onKeyDown={(event) => {
                if (event.key !== "Escape") return;
                setText("");
                onFilter({ q: "" });
                onFiltering(false);
                event.currentTarget.blur();
              }}
              className="h-7 w-full rounded-md border pointer-coarse:h-9 border-line bg-surface pr-7 pl-7 text-sm placeholder:text-faint hover:border-line-strong focus-visible:border-ring focus-visible:outline-none focus-visible:ring-2 focus-visible:ring-ring/30 [&::-webkit-search-cancel-button]:hidden"
            />
            {text === "" ? (
              <Kbd className="-translate-y-1/2 pointer-events-none absolute top-1/2 right-1.5 hidden sm:inline-flex">
                /
              </Kbd>
            ) : (
              <button
                type="button"
                aria-label="Clear the filter"
                onClick={() => setText("")}
                className="absolute inset-y-0 right-0 my-auto flex size-7 items-center justify-center rounded text-faint hover:text-ink pointer-coarse:size-9"
              >
                <X className="size-3.5" />
              </button>
            )}
          </div>
          {(categories.length > 0 || filter.category !== null) && (
            <Choice
              label="Category"
              value={filter.category ?? ANY}
              onChange={(category) => onFilter({ category })}
              options={[
                { value: ANY, label: "All categories" },
                ...categories.map((category) => ({ value: category, label: category })),
              ]}
            />
          )}
          <Choice
            label="Priority"
            value={filter.priority === null ? ANY : String(filter.priority)}
            onChange={(value) => onFilter({ priority: value === ANY ? 0 : Number(value) })}
            options={[
              { value: ANY, label: "Any priority" },
              ...[1, 2, 3].map((priority) => ({
                value: String(priority),
                label: words.priority[priority] ?? "",
                icon: <PriorityIcon priority={priority} />,
              })),
            ]}
          />
          {(whose.members || whose.agents || filter.member !== null || filter.agent !== null) && (
            <Suspense fallback={null}>
              <WhoseCards cards={cards} choices={whose} filter={filter} onFilter={onFilter} />
            </Suspense>
          )}
          {isFiltered(filter) && (
            <Button
              size="sm"
              variant="ghost"
              onClick={() => {
                setText("");
                onFilter(EVERYTHING);
              }}
            >
              <X /> Clear
            </Button>
          )}
        </div>
        <div className="flex shrink-0 items-center gap-1.5">
          {cards.length > 0 && (
            <Button
              variant="ghost"
              size="sm"
              aria-expanded={filtering}
              aria-controls={filters}
              aria-label={
                isFiltered(filter) ? `Filter: ${shown} of ${plural(cards.length, "card")}` : "Filter"
              }
              onClick={() => onFiltering(!filtering)}
              className={cn(
                "px-2 @3xl:hidden pointer-coarse:h-9",
                isFiltered(filter) && "bg-accent-soft text-accent-text hover:text-accent-text",
              )}
            >
              <ListFilter aria-hidden />
              {isFiltered(filter) && (
                <span className="num text-xs">
                  {shown}/{cards.length}
                </span>
              )}
            </Button>
          )}
          {project?.status === "ready" && cards.length > 0 && <Views projectId={project.id} view={view} />}
          {project?.status === "ready" && mayBuild && (
            <Suspense fallback={<AutoModeRoom />}>
              <AutoModeControl projectId={project.id} />
            </Suspense>
          )}
          {project && (
            <Tooltip text="Get the code">
              <Button
                variant="ghost"
                size="icon-sm"
                aria-label="Get the code"
                // Where there is no room for it, the settings lead there as well.
                className="hidden @2xl:inline-flex"
                render={<Link to="/p/$projectId/settings" params={{ projectId: project.id }} hash="code" />}
              >
                <FolderDown />
              </Button>
            </Tooltip>
          )}
          {project && (
            <Tooltip text="Project settings">
              <Button
                variant="ghost"
                size="icon-sm"
                aria-label="Project settings"
                render={<Link to="/p/$projectId/settings" params={{ projectId: project.id }} />}
              >
                <Settings2 />
              </Button>
            </Tooltip>
          )}
          {project?.status === "ready" && mayBuild && (
            <Tooltip text="New card" keys="c">
              <Button
                variant="primary"
                size="sm"
                onClick={() => openEditor({ mode: "create", projectId: project.id })}
              >
                <Plus />
                <span className="sr-only @sm:not-sr-only">New card</span>
              </Button>
            </Tooltip>
          )}
        </div>
      </div>
    </header>
  );
}

/** The cards in columns, or by what they depend on. Where there is little room, the way to the other one. */
function Views({ projectId, view }: { projectId: string; view: BoardSearch["view"] }) {
  const all = [
    { to: undefined, icon: <SquareKanban />, label: s.columns, shown: view === undefined },
    { to: "graph", icon: <Workflow />, label: s.graph, shown: view !== undefined },
  ] as const;
  return (
    // biome-ignore lint/a11y/useSemanticElements: no fields, but two ways to the same cards
    <div role="group" aria-label={s.view} className="flex gap-0.5 rounded-md border border-line p-px">
      {all.map(({ to, icon, label, shown }) => (
        <Button
          key={label}
          variant="ghost"
          size="icon-sm"
          title={label}
          aria-label={label}
          aria-current={shown ? "page" : undefined}
          className={cn(
            "size-6.5 pointer-coarse:size-8",
            shown && "hidden bg-selected text-ink @2xl:inline-flex",
          )}
          render={
            <Link
              to="/p/$projectId"
              params={{ projectId }}
              search={({ view: _, ...rest }: BoardSearch) =>
                to === undefined ? rest : { ...rest, view: to }
              }
            />
          }
        >
          {icon}
        </Button>
      ))}
    </div>
  );
}
