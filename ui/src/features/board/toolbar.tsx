import { Link } from "@tanstack/react-router";
import { ChevronDown, ListFilter, Plus, Search, Settings2, X } from "lucide-react";
import { lazy, type ReactNode, type Ref, Suspense, useEffect, useId, useState } from "react";
import type { FeatureCard, Project } from "@/api/types";
import { PriorityIcon } from "@/components/priority";
import { Button } from "@/components/ui/button";
import { Kbd } from "@/components/ui/kbd";
import { Menu, MenuRadio } from "@/components/ui/menu";
import { Tooltip } from "@/components/ui/tooltip";
import { AutoModeRoom } from "@/features/auto/room";
import { openEditor } from "@/features/editor/store";
import { cn } from "@/lib/cn";
import { exactMoney, money, plural } from "@/lib/format";
import type { BoardSearch } from "@/router";
import * as words from "@/strings";
import { categoriesOf, type Filter, isFiltered } from "./filter";

const AutoModeControl = lazy(() => import("@/features/auto/control"));

const ANY = "";

/** The board's head: its name, what is looked for, and the way to a new card. */
export function BoardToolbar({
  project,
  cards,
  shown,
  filter,
  onFilter,
  mayBuild,
  inputRef,
  filtering,
  onFiltering,
}: {
  project: Project | undefined;
  cards: FeatureCard[];
  shown: number;
  filter: Filter;
  onFilter: (change: Partial<BoardSearch>) => void;
  mayBuild: boolean;
  inputRef: Ref<HTMLInputElement>;
  /** Where the board is narrow, the filters are shown only when they are asked for. */
  filtering: boolean;
  onFiltering: (filtering: boolean) => void;
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
          {isFiltered(filter) && (
            <Button
              size="sm"
              variant="ghost"
              onClick={() => {
                setText("");
                onFilter({ q: "", category: "", priority: 0 });
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
          {project?.status === "ready" && mayBuild && (
            <Suspense fallback={<AutoModeRoom />}>
              <AutoModeControl projectId={project.id} />
            </Suspense>
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

/** One way to narrow the board. A menu, because its script is there already for the cards. */
function Choice({
  label,
  value,
  onChange,
  options,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  options: { value: string; label: string; icon?: ReactNode }[];
}) {
  const chosen = options.find((option) => option.value === value);
  return (
    <Menu
      align="end"
      trigger={
        <button
          type="button"
          className={cn(
            "inline-flex h-7 max-w-36 select-none @4xl:max-w-44 pointer-coarse:h-9 items-center gap-1.5 rounded-md border border-line px-2 text-muted text-sm hover:bg-hover hover:text-ink data-popup-open:bg-hover",
            value !== ANY && "border-accent/50 bg-accent-soft text-accent-text hover:text-accent-text",
          )}
        >
          <span className="sr-only">{label}: </span>
          {chosen?.icon}
          <span className="truncate">{chosen?.label ?? value}</span>
          <ChevronDown aria-hidden className="size-3.5 shrink-0 text-faint" />
        </button>
      }
    >
      <MenuRadio value={value} onChange={onChange} options={options} />
    </Menu>
  );
}
