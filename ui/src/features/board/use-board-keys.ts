import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { type RefObject, useEffect, useRef } from "react";
import { asApiError } from "@/api/error";
import type { FeatureCard } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { act } from "@/features/actions";
import { openEditor } from "@/features/editor/store";
import { type Hotkeys, typing, useHotkeys } from "@/lib/hotkeys";
import { leave, pickUp } from "./carry";
import type { ColumnHandle } from "./column";
import { COLUMNS, type ColumnId } from "./columns";
import { clear, select } from "./selection";
import type { BoardStore, Moving } from "./state";

interface Parts {
  store: BoardStore;
  arranged: Record<ColumnId, FeatureCard[]>;
  handles: RefObject<Partial<Record<ColumnId, ColumnHandle | null>>>;
  collapsed: ReadonlySet<ColumnId>;
  openId: string | null;
  open: (id: string | null) => void;
  mayBuild: boolean;
  /** Whether the cards stand in columns, through which keys lead. */
  columns: boolean;
  focusFilter: () => void;
}

/** Puts the focus on a card, wherever its virtual list is scrolled to. */
export function focusCard(parts: Pick<Parts, "arranged" | "handles">, id: string) {
  showCard(parts, id, (link) => link.focus({ preventScroll: true }));
}

/** Puts the focus on a card where it stands among those that it depends on. */
export function focusInGraph(id: string) {
  document.querySelector<HTMLElement>(`[data-graph-card="${id}"]`)?.focus({ preventScroll: true });
}

/** Brings a card into sight, and then does something with the link on it. */
export function showCard(
  parts: Pick<Parts, "arranged" | "handles">,
  id: string,
  then?: (link: HTMLElement) => void,
) {
  for (const column of COLUMNS) {
    const index = parts.arranged[column.id].findIndex((card) => card.id === id);
    if (index < 0) continue;
    parts.handles.current[column.id]?.show(index);
    let tries = 0;
    const focus = () => {
      const link = document.querySelector<HTMLElement>(`[data-card="${id}"] [data-card-link]`);
      if (link !== null) {
        then?.(link);
        link.closest("[data-card]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
      } else if (tries++ < 10) requestAnimationFrame(focus);
    };
    focus();
    return;
  }
}

/** To what can be done with the selected cards. */
const toBulkBar = () => document.querySelector<HTMLElement>("[data-bulk] button:not(:disabled)")?.focus();

/** What moving a card does. No first view needs it, and it is there before anybody has put a card down. */
export const loadMoves = () => import("./moves");

/** Moves a card. Where what moves it cannot be fetched, it stays where it was. */
export function withMoves(store: BoardStore, does: (moves: typeof import("./moves")) => unknown) {
  loadMoves().then(does, (cause) => {
    leave(store);
    toast.error("The card stays where it was", asApiError(cause));
  });
}

/** The keys of the board. */
export function useBoardKeys(parts: Parts) {
  const client = useQueryClient();
  const { store, arranged, collapsed, openId, open, mayBuild, columns, focusFilter } = parts;
  const moving = store.usePart((state) => state.moving);

  // The card up to which the last step extended the selection.
  const extended = useRef<string | null>(null);
  const goTo = (card: FeatureCard | undefined) => {
    if (card === undefined) return;
    extended.current = null;
    store.set((state) => ({ ...state, current: card.id }));
    focusCard(parts, card.id);
    // With a card open beside the board, the panel follows.
    if (openId !== null && openId !== card.id) open(card.id);
  };
  const place = (): [ColumnId, number] | null => {
    const { current } = store.get();
    for (const { id } of COLUMNS) {
      const index = arranged[id].findIndex((card) => card.id === current);
      if (index >= 0) return [id, index];
    }
    return null;
  };
  const here = () => {
    const at = place();
    const card = at === null ? undefined : arranged[at[0]][at[1]];
    // No key leads through a graph: what one does there is meant for the card that has the focus.
    const meant = columns || document.activeElement?.matches(`[data-graph-card="${card?.id}"]`);
    return meant ? card : undefined;
  };
  const step = (by: number) => {
    const at = place();
    if (at === null) {
      const first = COLUMNS.find(({ id }) => arranged[id].length > 0 && !collapsed.has(id));
      goTo(first && arranged[first.id][0]);
    } else goTo(arranged[at[0]][at[1] + by]);
  };
  const aside = (by: number) => {
    const at = place();
    if (at === null) return step(1);
    let column = COLUMNS.findIndex(({ id }) => id === at[0]) + by;
    while (COLUMNS[column] !== undefined) {
      const { id } = COLUMNS[column] as (typeof COLUMNS)[number];
      const list = arranged[id];
      if (list.length > 0 && !collapsed.has(id)) return goTo(list[Math.min(at[1], list.length - 1)]);
      column += by;
    }
  };
  const withCard = (does: (card: FeatureCard) => void) => () => {
    const card = here();
    if (card !== undefined) does(card);
  };
  /** Goes on within the column, and selects on the way. */
  const extend = (by: number) => {
    const at = place();
    if (at === null) return step(by);
    const [from, to] = [arranged[at[0]][at[1]], arranged[at[0]][at[1] + by]];
    if (from === undefined || to === undefined) return;
    // Whatever it was extended from before, what is begun here begins here.
    if (!store.get().selected.has(from.id)) select(store, arranged, from.id);
    else if (extended.current !== from.id) store.set((state) => ({ ...state, anchor: from.id }));
    goTo(to);
    select(store, arranged, to.id, true);
    extended.current = to.id;
  };
  const needsRight = (does: () => void) => (mayBuild ? does : () => {});

  const through: Hotkeys = {
    j: () => step(1),
    arrowdown: () => step(1),
    k: () => step(-1),
    arrowup: () => step(-1),
    h: () => aside(-1),
    arrowleft: () => aside(-1),
    l: () => aside(1),
    arrowright: () => aside(1),
    x: needsRight(withCard((card) => select(store, arranged, card.id))),
    "shift+x": needsRight(withCard((card) => select(store, arranged, card.id, true))),
    "shift+j": needsRight(() => extend(1)),
    "shift+arrowdown": needsRight(() => extend(1)),
    "shift+k": needsRight(() => extend(-1)),
    "shift+arrowup": needsRight(() => extend(-1)),
    a: needsRight(toBulkBar),
    m: needsRight(withCard((card) => pickUp(store, card))),
  };
  useHotkeys(
    {
      ...(columns ? through : {}),
      enter: withCard((card) => {
        store.set((state) => ({ ...state, entered: card.id }));
        open(card.id);
      }),
      "/": focusFilter,
      e: needsRight(withCard((card) => openEditor({ mode: "edit", featureId: card.id }))),
      s: needsRight(
        withCard((card) => {
          if (card.status === "backlog") act(client, card.id, "start").catch(() => {});
          else if (card.status === "failed" || card.status === "paused")
            act(client, card.id, "retry").catch(() => {});
        }),
      ),
      esc: () => {
        if (store.get().selected.size > 0) store.set(clear);
        else if (openId !== null) open(null);
      },
    },
    { enabled: moving?.by !== "keyboard" },
  );

  useCarrying(client, parts, moving);
}

/** The keys that carry a card. */
const CARRIES = /^(Arrow(Left|Right|Up|Down)|Enter| |Escape|Tab|[hjkl])$/;

/** While a card is carried by the keyboard, all keys belong to that. */
function useCarrying(client: QueryClient, parts: Parts, moving: Moving | null) {
  const { store, arranged, open } = parts;
  const carried = moving?.by === "keyboard";
  const latest = useRef({ arranged, open });
  useEffect(() => {
    latest.current = { arranged, open };
  });
  useEffect(() => {
    if (!carried) return;
    const onKey = (event: KeyboardEvent) => {
      // Who writes has gone on to something else.
      if (typing(event.target)) return leave(store);
      if (event.metaKey || event.ctrlKey || event.altKey || !CARRIES.test(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      if (event.key === "Escape" || event.key === "Tab") return leave(store);
      withMoves(store, ({ carry }) => {
        const { arranged, open } = latest.current;
        carry(client, store, event.key, arranged.backlog, open);
      });
    };
    window.addEventListener("keydown", onKey, { capture: true });
    return () => window.removeEventListener("keydown", onKey, { capture: true });
  }, [client, store, carried]);
}
