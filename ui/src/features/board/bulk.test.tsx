import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "@/api/error";
import type { FeatureCard } from "@/api/types";
import { Toaster } from "@/components/ui/toast";
import { card, feature } from "@/test/samples";
import { allowed, forEach } from "./bulk";
import { BulkBar } from "./bulk-bar";
import { arrange } from "./columns";
import { BoardDialogs } from "./dialogs";
import { between, leaveBoard, select } from "./selection";
import { BoardContext, createBoardStore } from "./state";

const cards = ["a", "b", "c", "d"].map((id, at) =>
  card({ id, number: at + 1, position: at, version: at + 2 }),
);
const done = card({ id: "z", status: "verified" });
const arranged = arrange([...cards, done]);
const chosen = (store: ReturnType<typeof createBoardStore>) => [...store.get().selected].join(" ");

describe("a selection", () => {
  it("is extended within a column, from the card that was selected last", () => {
    const store = createBoardStore();
    select(store, arranged, "b");
    select(store, arranged, "d", true);
    expect(chosen(store)).toBe("b c d");
    select(store, arranged, "a", true);
    expect(chosen(store)).toBe("b c d a");
    // In another column there is nothing in between.
    select(store, arranged, "z", true);
    expect(chosen(store)).toBe("b c d a z");
    select(store, arranged, "c");
    expect(chosen(store)).toBe("b d a z");
    expect(document.querySelector("[role=status]")?.textContent).toBe("4 selected");
  });

  it("has a stretch only within one column", () => {
    expect(between(arranged, "c", "a")).toEqual(["a", "b", "c"]);
    expect(between(arranged, "c", "z")).toEqual([]);
    expect(between(arranged, null, "a")).toEqual([]);
  });

  it("can be moved where all of it can", () => {
    expect(allowed([done, card({ id: "w", status: "waiting_approval" })])).toContain("shelve");
    expect(allowed([done, card({ id: "w", status: "waiting_approval" })])).not.toContain("verify");
    expect(allowed([done, card({ id: "q", status: "queued" })])).toEqual([]);
    expect(allowed([])).toEqual([]);
  });
});

describe("the bar", () => {
  let sent: { at: string; body: unknown }[];
  let answers: Record<string, () => Response | Promise<Response>>;
  const open = vi.fn();
  beforeEach(() => {
    sent = [];
    answers = {};
    open.mockClear();
    vi.stubGlobal("fetch", async (input: Request | string, init?: RequestInit) => {
      const request = input instanceof Request ? input : new Request(new URL(input, location.href), init);
      const at = `${request.method} ${new URL(request.url).pathname}`;
      if (request.method !== "GET") sent.push({ at, body: await request.json().catch(() => null) });
      return answers[at]?.() ?? Response.json({ items: [], next: null });
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  const show = (all: FeatureCard[]) => {
    const store = createBoardStore();
    store.set((state) => ({ ...state, selected: new Set(all.map(({ id }) => id)) }));
    const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
    const context = {
      store,
      cards: new Map(all.map((one) => [one.id, one])),
      projectId: "p1",
      within: new Set<string>(),
      mayBuild: true,
      open,
      select: () => {},
    };
    render(
      <QueryClientProvider client={client}>
        <BoardContext value={context}>
          <BulkBar />
          <BoardDialogs defaultBranch="main" />
          <Toaster />
        </BoardContext>
      </QueryClientProvider>,
    );
    return store;
  };

  it("changes each card with its version, names what failed with its reason, and lets the others stand", async () => {
    const user = userEvent.setup();
    const three = cards.slice(0, 3);
    const store = show(three);
    for (const one of three)
      answers[`PATCH /api/features/${one.id}`] = () =>
        Response.json(feature({ ...one, priority: 1, version: one.version + 1 }));
    answers["PATCH /api/features/b"] = () =>
      Response.json({ code: "stale", detail: "Somebody else changed this card" }, { status: 409 });
    await user.click(screen.getByRole("button", { name: "Priority" }));
    await user.click(await screen.findByRole("menuitem", { name: /High/ }));
    const told = await screen.findByRole("alert");
    expect(told.textContent).toContain("Not done for 1 of 3 cards:");
    expect(told.textContent).toContain("#2 Card b Somebody else changed this card.");
    expect(sent.map(({ at, body }) => ({ at, body }))).toEqual(
      three.map((one) => ({
        at: `PATCH /api/features/${one.id}`,
        body: { priority: 1, expectVersion: one.version },
      })),
    );
    // What was edited stays selected, for what comes next.
    expect(chosen(store)).toBe("a b c");
  });

  it("lets go of what it moved, and keeps what was refused", async () => {
    const user = userEvent.setup();
    const both = ["v", "w"].map((id) => card({ id, status: "verified" }));
    const store = show(both);
    answers["POST /api/features/v/shelve"] = () => Response.json(feature({ id: "v", version: 2 }));
    answers["POST /api/features/w/shelve"] = () =>
      Response.json({ code: "hand-work-unsaved", detail: "It has unsaved work." }, { status: 409 });
    await user.click(screen.getByRole("button", { name: "Move" }));
    expect((await screen.findAllByRole("menuitem")).map((item) => item.textContent)).toEqual([
      "Move to backlog",
      "Merge",
    ]);
    await user.click(screen.getByRole("menuitem", { name: "Move to backlog" }));
    await waitFor(() => expect(chosen(store)).toBe("w"));
    expect(screen.getByRole("alert").textContent).toContain("It has unsaved work.");
    await user.click(screen.getByRole("button", { name: "Clear the selection" }));
    expect(screen.queryByRole("toolbar")).toBeNull();
    act(() => store.set((state) => ({ ...state, selected: new Set(["v"]) })));
    expect(screen.queryByRole("alert")).toBeNull();
  });

  it("merges one after the other until the question is closed, and leaves the rest selected", async () => {
    const user = userEvent.setup();
    const three = ["v", "w", "x"].map((id) =>
      card({ id, status: id === "w" ? "waiting_approval" : "verified" }),
    );
    const store = show(three);
    let answer: (response: Response) => void = () => {};
    answers["POST /api/features/v/merge"] = () =>
      new Promise<Response>((resolve) => {
        answer = resolve;
      });
    await user.click(screen.getByRole("button", { name: "Move" }));
    await user.click(await screen.findByRole("menuitem", { name: "Merge" }));
    expect(await screen.findByText("1 of them has not been verified yet.")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Merge" }));
    await waitFor(() => expect(sent.length).toBe(1));
    expect(store.get().working).toBe(1);
    await user.click(screen.getByRole("button", { name: "Cancel" }));
    await act(async () =>
      answer(Response.json({ feature: feature({ id: "v", status: "completed", version: 2 }) })),
    );
    await waitFor(() => expect(store.get().working).toBe(0));
    expect(sent.map(({ at }) => at)).toEqual(["POST /api/features/v/merge"]);
    expect(chosen(store)).toBe("w x");
    expect(store.get().refused).toEqual([]);
  });

  it("leads to a card whose merge meets a conflict, but nobody who has left", async () => {
    const user = userEvent.setup();
    const store = show([]);
    for (const left of [false, true]) {
      let answer: (response: Response) => void = () => {};
      answers["POST /api/features/z/merge"] = () =>
        new Promise<Response>((resolve) => {
          answer = resolve;
        });
      act(() => store.set((state) => ({ ...state, merging: done })));
      await user.click(await screen.findByRole("button", { name: "Merge" }));
      await waitFor(() => expect(sent.length).toBe(left ? 2 : 1));
      if (left) act(() => store.set(leaveBoard));
      const conflict = { code: "merge-conflict", detail: "A file was changed on both sides." };
      await act(async () => answer(Response.json(conflict, { status: 409 })));
      await waitFor(() => expect(open.mock.calls).toEqual([["z"]]));
    }
    expect((await screen.findAllByText(/changed on both sides/)).length).toBeGreaterThan(0);
  });

  it("tells by toast what was refused of cards that are not selected any more", async () => {
    const store = show([]);
    const why = new ApiError({ status: 409, code: "no", detail: "It cannot be." });
    await act(() => forEach(store, cards.slice(0, 2), () => Promise.reject(why)));
    expect((await screen.findAllByText("Not done for #1, #2")).length).toBeGreaterThan(0);
    expect(store.get().refused).toEqual([]);
  });

  it("forgets what was refused where a selection begins anew", () => {
    const store = createBoardStore();
    const error = new ApiError({ status: 409, code: "no", detail: "It cannot be." });
    store.set((state) => ({ ...state, refused: [{ card: done, error }] }));
    select(store, arranged, "a");
    expect(store.get().refused).toEqual([]);
  });

  it("says so where nothing moves all of them", async () => {
    const user = userEvent.setup();
    show([done, card({ id: "q", status: "queued" })]);
    await user.click(screen.getByRole("button", { name: "Move" }));
    expect(await screen.findByText("Nothing moves all of these as they stand.")).toBeTruthy();
  });
});
