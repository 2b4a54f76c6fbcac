import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, configure, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { type ReactNode, StrictMode } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { keys } from "@/api/keys";
import { Toaster } from "@/components/ui/toast";
import type { BoardSearch } from "@/router";
import { card } from "@/test/samples";
import { Board } from "./board";

// Much of it is fetched when it is needed.
configure({ asyncUtilTimeout: 10_000 });
vi.setConfig({ testTimeout: 30_000 });

let search: BoardSearch = {};
vi.mock("@tanstack/react-router", () => ({
  useNavigate: () => () => {},
  useSearch: () => search,
  Link: ({ children }: { children: ReactNode }) => <a href="/">{children}</a>,
}));

const three = ["v", "w", "x"].map((id, at) => card({ id, number: at + 1, status: "verified" }));
let sent: string[];
let refuse: (() => void)[];

beforeEach(() => {
  search = {};
  [sent, refuse] = [[], []];
  vi.stubGlobal("fetch", async (input: Request) => {
    if (input.method === "GET") return new Promise(() => {});
    sent.push(new URL(input.url).pathname);
    await new Promise<void>((resolve) => refuse.push(resolve));
    return Response.json({ code: "no", detail: "It cannot be." }, { status: 409 });
  });
});
afterEach(() => vi.unstubAllGlobals());

/** The board within a page that shows toasts. */
function show() {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  client.setQueryData(keys.me, { id: "m1", rights: ["build", "run"] });
  client.setQueryData(keys.project("p1"), {
    id: "p1",
    name: "One",
    status: "ready",
    source: { kind: "empty" },
    defaultBranch: "main",
  });
  client.setQueryData(keys.board("p1"), three);
  const page = (board: boolean) => (
    <StrictMode>
      <QueryClientProvider client={client}>
        {board && <Board projectId="p1" />}
        <Toaster />
      </QueryClientProvider>
    </StrictMode>
  );
  const { rerender } = render(page(true));
  return { again: () => rerender(page(true)), leave: () => rerender(page(false)) };
}

/** Selects all cards, and opens a menu of the bar. */
async function menu(name: string) {
  const user = userEvent.setup();
  await user.keyboard("jx");
  for (const _ of three.slice(1)) await user.keyboard("{Shift>}J{/Shift}");
  await user.click(within(await screen.findByRole("toolbar")).getByRole("button", { name }));
  return { user, item: (name: RegExp) => screen.findByRole("menuitem", { name }) };
}

it("tells by toast what was refused of a change of several cards when it was left meanwhile", async () => {
  const page = show();
  const { user, item } = await menu("Priority");
  await user.click(await item(/High/));
  await waitFor(() => expect(refuse.length).toBe(3));
  page.leave();
  await act(async () => refuse.forEach((one) => void one()));
  expect((await screen.findAllByText("Not done for #1, #2, #3")).length).toBeGreaterThan(0);
});

it("begins no other merge once it was left, which no other view of it is", async () => {
  const page = show();
  const { user, item } = await menu("Move");
  await user.click(await item(/^Merge$/));
  await user.click(await screen.findByRole("button", { name: "Merge" }));
  await waitFor(() => expect(refuse.length).toBe(1));
  search = { view: "list" };
  page.again();
  await act(async () => refuse[0]?.());
  await waitFor(() => expect(refuse.length).toBe(2));
  page.leave();
  await act(async () => refuse[1]?.());
  expect((await screen.findAllByText("Not done for #1, #2")).length).toBeGreaterThan(0);
  expect(sent).toEqual(["/api/features/v/merge", "/api/features/w/merge"]);
});
