import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Plus, SearchX, SquareKanban } from "lucide-react";
import { lazy, Suspense, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { isLost } from "@/api/error";
import { useBoard, useMay, useProject } from "@/api/queries";
import type { FeatureCard } from "@/api/types";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { openEditor } from "@/features/editor/store";
import { plural } from "@/lib/format";
import { lazyOrNothing } from "@/lib/lazy-or-nothing";
import { useTitle } from "@/lib/title";
import type { BoardSearch } from "@/router";
import { BoardColumn, type ColumnHandle } from "./column";
import { arrange, COLUMNS, type ColumnId } from "./columns";
import { dragging } from "./dragging";
import { EVERYTHING, filterCards, filterOf, isFiltered, saidWithin } from "./filter";
import type { SaidState } from "./said";
import { clear, leaveBoard, select } from "./selection";
import { BoardContext, createBoardStore } from "./state";
import { BoardToolbar } from "./toolbar";
import { focusCard, focusInGraph, loadMoves, showCard, useBoardKeys, withMoves } from "./use-board-keys";

const SandboxBanner = lazy(() => import("@/features/sandbox/banner"));
const AutoModeBanner = lazy(() => import("@/features/auto/banner"));
const loadPanel = () => import("./side-panel");
// Few boards need these at first.
const SidePanel = lazy(
  (): Promise<{ default: typeof NoPanel }> =>
    loadPanel().then(
      (module) => ({ default: module.SidePanel }),
      () => ({ default: NoPanel }),
    ),
);
const BulkBar = lazy(() => import("./bulk-bar").then((module) => ({ default: module.BulkBar })));
const BoardDialogs = lazy(() => import("./dialogs").then((module) => ({ default: module.BoardDialogs })));
const ProjectPreparing = lazy(() =>
  import("@/features/projects/preparing").then((module) => ({ default: module.ProjectPreparing })),
);
const Said = lazyOrNothing(() => import("./said"));
const Dependencies = lazy(() => import("./graph/dependencies"));
const Suggestions = lazy(() => import("./suggestions").then((module) => ({ default: module.Suggestions })));

/** Where the panel's script cannot be fetched: the board beside it stands. */
function NoPanel(_: { featureId: string; onClose: () => void }) {
  return (
    <aside aria-label="Feature" className="w-80 border-line border-l bg-canvas">
      <ErrorState error={new TypeError()} onRetry={() => location.reload()} />
    </aside>
  );
}

const NO_CARDS: FeatureCard[] = [];
const UNASKED: Pick<SaidState, "found" | "asking"> = { found: new Set(), asking: false };
const IDLE_MS = 1_500;

/** A project's board, with the open feature at its side. */
export function Board({ projectId }: { projectId: string }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const search = useSearch({ from: "/frame/p/$projectId" });
  const project = useProject(projectId);
  const board = useBoard(projectId);
  const mayBuild = useMay("build");
  const mayManage = useMay("manageProjects");
  const [store] = useState(createBoardStore);
  const handles = useRef<Partial<Record<ColumnId, ColumnHandle | null>>>({});
  const filterInput = useRef<HTMLInputElement>(null);
  const [filtering, setFiltering] = useState(false);

  useTitle(project.data?.name);
  const openId = search.f ?? null;
  const { view } = search;
  const all = board.data ?? NO_CARDS;
  const filter = useMemo(() => filterOf(search), [search]);
  const deferred = useDeferredValue(filter);
  const [said, setSaid] = useState(UNASKED);
  const looks = deferred.text.trim() !== "";
  const { found } = looks ? said : UNASKED;
  const shown = useMemo(() => filterCards(all, deferred, found), [all, deferred, found]);
  const within = useMemo(() => saidWithin(shown, deferred.text, found), [shown, deferred.text, found]);
  const arranged = useMemo(() => arrange(shown), [shown]);
  const byId = useMemo(() => new Map(all.map((card) => [card.id, card])), [all]);
  const [collapsed, collapse] = useCollapsed(arranged);

  const change = useCallback(
    (with_: (search: BoardSearch) => BoardSearch, replace: boolean) =>
      void navigate({ to: "/p/$projectId", params: { projectId }, search: with_, replace }),
    [navigate, projectId],
  );
  const open = useCallback(
    (id: string | null) => {
      // From one open card to another is no step that one wants to go back through.
      const replace = openId !== null && id !== null;
      change(({ f: _, ...rest }) => (id === null ? rest : { ...rest, f: id }), replace);
      if (id === null && openId !== null) {
        if (view === undefined) focusCard({ arranged, handles }, openId);
        else focusInGraph(openId);
      }
    },
    [change, openId, arranged, view],
  );
  const onFilter = useCallback(
    (part: Partial<BoardSearch>) =>
      change((before) => {
        // What is empty does not stand in the address.
        const all = Object.entries({ ...before, ...part });
        return Object.fromEntries(all.filter(([, value]) => value));
      }, true),
    [change],
  );

  useBoardKeys({
    store,
    arranged,
    handles,
    collapsed,
    openId,
    open,
    mayBuild,
    columns: view === undefined,
    focusFilter: () => setFiltering(true),
  });
  // In a narrow board the field is there once it is asked for.
  useEffect(() => {
    if (filtering) filterInput.current?.focus();
  }, [filtering]);

  const latest = useRef(arranged);
  useEffect(() => {
    latest.current = arranged;
  }, [arranged]);
  // The panel takes the room of some columns: the card it is of stays in sight.
  useEffect(() => {
    if (openId === null) return;
    const frame = requestAnimationFrame(() => showCard({ arranged: latest.current, handles }, openId));
    return () => cancelAnimationFrame(frame);
  }, [openId]);

  useEffect(() => {
    const where = (targets: { data: Record<string | symbol, unknown> }[]) =>
      (targets[0]?.data.column as ColumnId | undefined) ?? null;
    const place = (over: ColumnId | null, clientY: number, id: string) =>
      over === "backlog" ? (handles.current.backlog?.indexAt(clientY, id) ?? -1) : -1;
    return dragging(({ monitorForElements }) =>
      monitorForElements({
        canMonitor: ({ source }) => source.data.kind === "card",
        onDragStart: ({ source }) => {
          const card = byId.get(String(source.data.id));
          if (card)
            store.set((state) => ({ ...state, moving: { card, by: "pointer", over: null, index: -1 } }));
        },
        onDrag: ({ location }) => {
          const { moving } = store.get();
          if (moving === null) return;
          const over = where(location.current.dropTargets);
          const index = place(over, location.current.input.clientY, moving.card.id);
          if (over === moving.over && index === moving.index) return;
          store.set((state) => ({ ...state, moving: { ...moving, over, index } }));
        },
        onDrop: ({ location }) => {
          const { moving } = store.get();
          store.set((state) => ({ ...state, moving: null }));
          const over = where(location.current.dropTargets);
          if (moving === null || over === null) return;
          // Not what the last movement said: the pointer may have moved on since.
          const index = place(over, location.current.input.clientY, moving.card.id);
          withMoves(store, ({ drop }) =>
            drop(client, store, moving.card, over, index, arranged.backlog, open),
          );
        },
      }),
    );
  }, [client, store, byId, arranged, open]);

  // Fetched while nothing else is: the first card that is opened or moved finds it there.
  useEffect(() => {
    const timer = setTimeout(() => {
      const panel = loadPanel().then((module) => module.loadFeature());
      void Promise.allSettled([panel, loadMoves()]);
    }, IDLE_MS);
    return () => clearTimeout(timer);
  }, []);

  // The keys and the bar of one view are of no use in another.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is the change that counts
  useEffect(() => store.set((state) => ({ ...clear(state), current: null })), [store, view]);
  // Another view of the board is still the board.
  useEffect(() => () => store.set(leaveBoard), [store]);

  const selectCard = useCallback(
    (id: string, extend?: boolean) => select(store, latest.current, id, extend),
    [store],
  );
  // What is not shown any more is not selected either: nobody deletes what they do not see.
  useEffect(() => {
    const { selected } = store.get();
    if (selected.size === 0) return;
    const kept = shown.filter((card) => selected.has(card.id)).map((card) => card.id);
    if (kept.length < selected.size) store.set((state) => ({ ...state, selected: new Set(kept) }));
  }, [store, shown]);
  const context = useMemo(
    () => ({ store, cards: byId, projectId, within, mayBuild, open, select: selectCard }),
    [store, byId, projectId, within, mayBuild, open, selectCard],
  );

  const isSample = project.data?.source.kind === "sample";
  const titles = useMemo(() => new Set(all.map((card) => card.title)), [all]);
  const suggestions = isSample && mayBuild && (
    <Suspense>
      <Suggestions projectId={projectId} taken={titles} />
    </Suspense>
  );
  const asks = store.usePart(
    ({ selected, merging, merges, deleting }) =>
      selected.size > 0 || merging !== null || merges.length > 0 || deleting.length > 0,
  );
  // Once there, they stay, so that they go with their motion.
  const [asked, setAsked] = useState(false);
  if (asks && !asked) setAsked(true);

  let body: React.ReactNode;
  if (isLost(project) || isLost(board)) {
    body = (
      <ErrorState
        error={project.error ?? board.error}
        onRetry={() => {
          void project.refetch();
          void board.refetch();
        }}
      />
    );
  } else if (project.data && project.data.status !== "ready") {
    body = (
      <Suspense fallback={<BoardSkeleton />}>
        <ProjectPreparing project={project.data} mayManage={mayManage} />
      </Suspense>
    );
  } else if (board.isPending || project.isPending) {
    body = <BoardSkeleton />;
  } else if (all.length === 0 && !isSample) {
    body = (
      <Empty
        icon={<SquareKanban />}
        title="This board is empty"
        action={
          mayBuild && (
            <Button variant="primary" onClick={() => openEditor({ mode: "create", projectId })}>
              <Plus /> Write the first card
            </Button>
          )
        }
      >
        A card says what to build. Write one, start it, and an agent works on it in a branch of its own.
      </Empty>
    );
  } else if (shown.length === 0 && isFiltered(deferred) && said.asking) {
    // The answer may bring some: what is being done stands above.
    body = null;
  } else if (shown.length === 0 && isFiltered(deferred)) {
    body = (
      <Empty
        icon={<SearchX />}
        title="No card matches"
        action={<Button onClick={() => onFilter(EVERYTHING)}>Clear the filter</Button>}
      >
        All {plural(all.length, "card")} of this board are hidden by the filter.
      </Empty>
    );
  } else if (view !== undefined) {
    body = (
      <Suspense fallback={<BoardSkeleton />}>
        <Dependencies
          cards={shown}
          view={view}
          openId={openId}
          onView={(next) => change(({ view: _, ...rest }) => (next ? { ...rest, view: next } : rest), false)}
        />
      </Suspense>
    );
  } else {
    body = (
      <div className="flex h-full snap-x snap-mandatory gap-1.5 overflow-x-auto px-2 pb-2 scroll-thin sm:snap-none sm:px-2.5">
        {COLUMNS.map((column) => (
          <BoardColumn
            key={column.id}
            ref={(handle) => {
              handles.current[column.id] = handle;
            }}
            column={column}
            cards={arranged[column.id]}
            openId={openId}
            collapsed={collapsed.has(column.id)}
            filtered={isFiltered(deferred)}
            onCollapse={(next) => collapse(column.id, next)}
            {...(column.id === "backlog" && suggestions ? { footer: suggestions } : {})}
          />
        ))}
      </div>
    );
  }

  return (
    <BoardContext value={context}>
      <main id="content" tabIndex={-1} className="relative flex h-full min-w-0 outline-none">
        <div className="relative flex min-w-0 flex-1 flex-col">
          <BoardToolbar
            project={project.data}
            cards={all}
            shown={shown.length}
            said={looks && <Said projectId={projectId} text={deferred.text} onSaid={setSaid} />}
            filter={filter}
            onFilter={onFilter}
            mayBuild={mayBuild}
            inputRef={filterInput}
            filtering={filtering}
            onFiltering={setFiltering}
            view={view}
          />
          <Suspense>
            <SandboxBanner />
          </Suspense>
          {mayBuild && (
            <Suspense>
              <AutoModeBanner projectId={projectId} />
            </Suspense>
          )}
          <div className="min-h-0 flex-1">{body}</div>
          <Suspense>{asked && <BulkBar />}</Suspense>
        </div>
        <Suspense>{openId !== null && <SidePanel featureId={openId} onClose={() => open(null)} />}</Suspense>
      </main>
      <Suspense>
        {asked && <BoardDialogs defaultBranch={project.data?.defaultBranch ?? "the default branch"} />}
      </Suspense>
    </BoardContext>
  );
}

const COLLAPSED = "guildhall.columns";

/** Columns that are folded away: what the member chose, and else an empty “needs attention”. */
function useCollapsed(arranged: Record<ColumnId, FeatureCard[]>) {
  const [chosen, setChosen] = useState<Partial<Record<ColumnId, boolean>>>(() => {
    try {
      return JSON.parse(localStorage.getItem(COLLAPSED) ?? "{}");
    } catch {
      return {};
    }
  });
  const noneStopped = arranged.stopped.length === 0;
  const collapsed = useMemo(() => {
    const set = new Set<ColumnId>();
    for (const { id } of COLUMNS) if (chosen[id] ?? (id === "stopped" && noneStopped)) set.add(id);
    return set;
  }, [chosen, noneStopped]);
  const collapse = (id: ColumnId, next: boolean) => {
    const after = { ...chosen, [id]: next };
    setChosen(after);
    localStorage.setItem(COLLAPSED, JSON.stringify(after));
  };
  return [collapsed, collapse] as const;
}

function BoardSkeleton() {
  return (
    <div className="flex h-full gap-1.5 overflow-hidden px-2.5" aria-hidden>
      {[3, 1, 1, 2, 1].map((cards, column) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they never change
        <div key={column} className="flex min-w-56 max-w-100 flex-1 flex-col gap-2 px-2 pt-2.5">
          <Skeleton className="mb-1.5 h-4 w-28" />
          {Array.from({ length: cards }, (_, n) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: they never change
            <Skeleton key={n} className="h-24 rounded-lg" />
          ))}
        </div>
      ))}
    </div>
  );
}
