import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { type RefObject, useEffect } from "react";
import type { FeatureCard } from "@/api/types";
import { act } from "@/features/actions";
import { openEditor } from "@/features/editor/store";
import { announce } from "@/lib/announce";
import { useHotkeys } from "@/lib/hotkeys";
import type { ColumnHandle } from "./column";
import { COLUMNS, type ColumnId, columnOf, moveTo } from "./columns";
import { drop, pickUp } from "./moves";
import { type BoardStore, type Moving, toggle } from "./state";

interface Parts {
  store: BoardStore;
  arranged: Record<ColumnId, FeatureCard[]>;
  handles: RefObject<Partial<Record<ColumnId, ColumnHandle | null>>>;
  collapsed: ReadonlySet<ColumnId>;
  openId: string | null;
  open: (id: string | null) => void;
  mayBuild: boolean;
  focusFilter: () => void;
}

const titleOf = (id: ColumnId) => COLUMNS.find((column) => column.id === id)?.title ?? id;

/** Puts the focus on a card, wherever its virtual list is scrolled to. */
export function focusCard(parts: Pick<Parts, "arranged" | "handles">, id: string) {
  showCard(parts, id, (link) => link.focus({ preventScroll: true }));
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

/** The keys of the board. */
export function useBoardKeys(parts: Parts) {
  const client = useQueryClient();
  const { store, arranged, collapsed, openId, open, mayBuild, focusFilter } = parts;
  const moving = store.usePart((state) => state.moving);

  const goTo = (card: FeatureCard | undefined) => {
    if (card === undefined) return;
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
    return at === null ? undefined : arranged[at[0]][at[1]];
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
  const needsRight = (does: () => void) => (mayBuild ? does : () => {});

  useHotkeys(
    {
      j: () => step(1),
      arrowdown: () => step(1),
      k: () => step(-1),
      arrowup: () => step(-1),
      h: () => aside(-1),
      arrowleft: () => aside(-1),
      l: () => aside(1),
      arrowright: () => aside(1),
      enter: withCard((card) => {
        store.set((state) => ({ ...state, entered: card.id }));
        open(card.id);
      }),
      "/": focusFilter,
      e: needsRight(withCard((card) => openEditor({ mode: "edit", featureId: card.id }))),
      x: needsRight(
        withCard((card) => store.set((state) => ({ ...state, selected: toggle(state.selected, card.id) }))),
      ),
      s: needsRight(
        withCard((card) => {
          if (card.status === "backlog") act(client, card.id, "start").catch(() => {});
          else if (card.status === "failed" || card.status === "paused")
            act(client, card.id, "retry").catch(() => {});
        }),
      ),
      m: needsRight(
        withCard((card) => {
          pickUp(store, card);
          announce(
            `Picked up ${card.title}. Left and right choose a column, up and down a place, Enter puts it down, Escape leaves it.`,
          );
        }),
      ),
      esc: () => {
        if (store.get().selected.size > 0) store.set((state) => ({ ...state, selected: new Set() }));
        else if (openId !== null) open(null);
      },
    },
    { enabled: moving?.by !== "keyboard" },
  );

  useCarrying(client, parts, moving);
}

/** While a card is carried by the keyboard, all keys belong to that. */
function useCarrying(client: QueryClient, parts: Parts, moving: Moving | null) {
  const { store, arranged, open } = parts;
  useEffect(() => {
    if (moving?.by !== "keyboard") return;
    const backlog = arranged.backlog;
    const others = backlog.filter((card) => card.id !== moving.card.id);
    const go = (over: ColumnId, index: number) => {
      store.set((state) => ({ ...state, moving: { ...moving, over, index } }));
      const move = moveTo(moving.card, over);
      if (move.kind === "refused") announce(`${titleOf(over)}: not possible. ${move.why}`);
      else if (over === "backlog") announce(`Backlog, place ${index + 1} of ${others.length + 1}`);
      else announce(move.kind === "action" ? `${titleOf(over)}: ${move.verb}` : titleOf(over));
    };
    const index =
      moving.index >= 0
        ? moving.index
        : Math.max(
            0,
            backlog.findIndex((card) => card.id === moving.card.id),
          );
    const onKey = (event: KeyboardEvent) => {
      if (event.metaKey || event.ctrlKey || event.altKey) return;
      const over = moving.over ?? columnOf(moving.card.status);
      const at = COLUMNS.findIndex(({ id }) => id === over);
      const sideways = (by: number) => {
        const next = COLUMNS[at + by];
        if (next !== undefined) go(next.id, index);
      };
      switch (event.key) {
        case "ArrowLeft":
        case "h":
          sideways(-1);
          break;
        case "ArrowRight":
        case "l":
          sideways(1);
          break;
        case "ArrowUp":
        case "k":
          if (over === "backlog") go(over, Math.max(0, index - 1));
          break;
        case "ArrowDown":
        case "j":
          if (over === "backlog") go(over, Math.min(others.length, index + 1));
          break;
        case "Enter":
        case " ":
          store.set((state) => ({ ...state, moving: null }));
          drop(client, store, moving.card, over, index, backlog, open);
          announce(`Put down in ${titleOf(over)}`);
          break;
        case "Escape":
        case "Tab":
          store.set((state) => ({ ...state, moving: null }));
          announce("Left where it was");
          break;
        default:
          return;
      }
      event.preventDefault();
      event.stopPropagation();
    };
    window.addEventListener("keydown", onKey, { capture: true });
    return () => window.removeEventListener("keydown", onKey, { capture: true });
  }, [client, store, arranged, open, moving]);
}
