import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, fireEvent, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { card } from "@/test/samples";
import { pickUp } from "./carry";
import { arrange } from "./columns";
import { createBoardStore } from "./state";
import { useBoardKeys } from "./use-board-keys";

vi.mock("./moves", () => {
  throw new TypeError("Failed to fetch dynamically imported module");
});

const cards = ["a", "b", "c", "d", "e"].map((id, at) => card({ id, number: at + 1, position: at }));
let sent: string[];
beforeEach(() => {
  sent = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    sent.push(`${request.method} ${new URL(request.url).pathname}`);
    return Response.json({});
  });
});
afterEach(() => {
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

const show = (columns = true) => {
  const store = createBoardStore();
  const client = new QueryClient();
  const parts = {
    store,
    arranged: arrange(cards),
    handles: { current: {} },
    collapsed: new Set<never>(),
    openId: null,
    open: () => {},
    mayBuild: true,
    columns,
    focusFilter: () => {},
  };
  renderHook(() => useBoardKeys(parts), {
    wrapper: ({ children }: { children: ReactNode }) => (
      <QueryClientProvider client={client}>{children}</QueryClientProvider>
    ),
  });
  return store;
};
const press = (key: string, shiftKey = false, target: Element = document.body) =>
  fireEvent.keyDown(target, { key, shiftKey });

it("extends a selection from the card one stands on, and goes on from there", () => {
  const store = show();
  const stand = (id: string) => store.set((state) => ({ ...state, current: id }));
  const chosen = () => [...store.get().selected].sort().join("");
  stand("a");
  press("x");
  stand("d");
  press("x");
  press("k");
  press("k");
  press("k");
  // Selected already, and not the one that was selected last.
  press("J", true);
  expect(chosen()).toBe("abd");
  press("J", true);
  expect(chosen()).toBe("abcd");
  expect(store.get().anchor).toBe("a");
});

it("ends the carrying of a card at once, and where somebody writes", () => {
  const store = show();
  const lift = () => act(() => pickUp(store, cards[0] as (typeof cards)[number]));
  for (const key of ["Escape", "Tab"]) {
    lift();
    // Not passed on.
    expect(press(key)).toBe(false);
    expect(store.get().moving).toBeNull();
  }
  const field = document.body.appendChild(document.createElement("input"));
  lift();
  expect(press("j", false, field)).toBe(true);
  expect(store.get().moving).toBeNull();
});

it("leaves a card where it was when what moves it cannot be fetched", async () => {
  const store = show();
  act(() => pickUp(store, cards[0] as (typeof cards)[number]));
  press("l");
  await vi.waitFor(() => expect(store.get().moving).toBeNull());
});

it("acts in a graph on the card that has the focus, and on no other", async () => {
  const store = show(false);
  store.set((state) => ({ ...state, current: "a" }));
  press("s");
  await Promise.resolve();
  expect(sent).toEqual([]);
  const link = document.body.appendChild(document.createElement("a"));
  link.href = "/";
  link.dataset.graphCard = "a";
  link.focus();
  press("s", false, link);
  await vi.waitFor(() => expect(sent).toContain("POST /api/features/a/start"));
});
