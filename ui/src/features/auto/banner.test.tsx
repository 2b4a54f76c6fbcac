import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import type { AutoMode } from "@/api/types";
import { card } from "@/test/samples";
import AutoModeBanner from "./banner";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ search, children }: { search: (old: object) => { f: string }; children: React.ReactNode }) => (
    <a href={`?f=${search({}).f}`}>{children}</a>
  ),
}));

const problem = (message: string) => ({ code: "x", message, hint: "" });

function order(part: Partial<AutoMode>): AutoMode {
  return {
    projectId: "p1",
    memberId: "m1",
    state: "on",
    maxConcurrent: 1,
    window: null,
    atClose: "finishTurn",
    failures: [],
    pause: null,
    changedAt: "2026-03-10T12:00:00Z",
    open: true,
    changesAt: null,
    waiting: null,
    running: 0,
    backlog: 0,
    stopped: 0,
    limit: 3,
    ...part,
  };
}

function show(standing: AutoMode) {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  client.setQueryData(keys.autoMode("p1"), standing);
  client.setQueryData(keys.board("p1"), [card({ id: "f3", number: 3, title: "Login form" })]);
  render(
    <QueryClientProvider client={client}>
      <AutoModeBanner projectId="p1" />
    </QueryClientProvider>,
  );
}

afterEach(() => vi.restoreAllMocks());

test("a paused one says why, leads to the cards that failed, and goes on with what was stopped", async () => {
  const failure = (featureId: string) => ({
    featureId,
    runId: `r-${featureId}`,
    at: "2026-03-10T12:00:00Z",
    problem: problem("It broke."),
  });
  const paused = order({
    state: "paused",
    pause: problem("Three runs in a row failed."),
    failures: [failure("f3"), failure("gone")],
    stopped: 2,
  });
  show(paused);
  const banner = screen.getByRole("region", { name: "Auto mode is paused" });
  expect(banner.textContent).toContain("2 stopped cards go on with it.");
  const links = within(banner).getAllByRole("link");
  expect(links.map((link) => [link.textContent, link.getAttribute("href")])).toEqual([
    ["#3 Login form", "?f=f3"],
    ["A card that is gone", "?f=gone"],
  ]);
  const set = vi.spyOn(api, "setAutoMode").mockResolvedValue(order({}));
  await userEvent.click(within(banner).getByRole("button", { name: "Resume" }));
  expect(set).toHaveBeenCalledWith("p1", { action: "start" });
  expect(screen.queryByRole("region")).toBeNull();
});

test("one that somebody switched off says who it was until its member decides", async () => {
  const off = order({ state: "off", pause: problem("Olga switched it off.") });
  show(off);
  const banner = screen.getByRole("region", { name: "Auto mode is off" });
  expect(banner.textContent).toContain("Olga switched it off.");
  const set = vi.spyOn(api, "setAutoMode").mockResolvedValue(order({ state: "off" }));
  await userEvent.click(within(banner).getByRole("button", { name: "Leave it off" }));
  expect(set).toHaveBeenCalledWith("p1", { action: "stop" });
  expect(screen.queryByRole("region")).toBeNull();
});
