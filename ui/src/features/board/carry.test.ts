import { QueryClient } from "@tanstack/react-query";
import { expect, it } from "vitest";
import { createStore } from "@/lib/store";
import { card } from "@/test/samples";
import { leave, pickUp } from "./carry";
import { carry } from "./moves";
import { type BoardStore, createBoardStore } from "./state";

it("says what to do with a card that was picked up, by whichever way", () => {
  const store = createStore({ moving: null, current: null }) as unknown as BoardStore;
  pickUp(store, card({ id: "a", title: "Set the table" }));
  expect(store.get().moving?.card.id).toBe("a");
  expect(document.querySelector("[role=status]")?.textContent).toContain("Picked up Set the table. Left and");
});

it("carries a card key by key, and leaves it where it was", () => {
  const store = createBoardStore();
  const backlog = ["a", "b", "c"].map((id, at) => card({ id, position: at, number: at + 1 }));
  const said = () => document.querySelector("[role=status]")?.textContent;
  const press = (...keys: string[]) => {
    for (const key of keys) carry(new QueryClient(), store, key, backlog, () => {});
  };
  pickUp(store, backlog[1] as (typeof backlog)[number]);
  press("ArrowDown");
  expect(said()).toBe("Backlog, place 3 of 3");
  press("k", "k", "k");
  expect(said()).toBe("Backlog, place 1 of 3");
  press("l");
  expect(said()).toBe("In progress: Start");
  press("ArrowRight", "ArrowDown");
  expect(said()).toBe("Needs attention: not possible. Only work under way can be stopped.");
  leave(store);
  expect(said()).toBe("Left where it was");
  expect(store.get().moving).toBeNull();
});
