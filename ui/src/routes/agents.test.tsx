import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import AgentsPage from "./agents";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children }: { children: ReactNode }) => <a href="/">{children}</a>,
}));
vi.mock("@/features/agents/queue", () => ({ Queue: () => null }));
vi.mock("@/features/agents/auto-modes", () => ({ AutoModes: () => null }));

afterEach(() => vi.restoreAllMocks());

test("what is not known to be at work is not said to be at rest", async () => {
  const client = new QueryClient({
    defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, retry: false } },
  });
  client.setQueryData(keys.me, { id: "m1", rights: ["read"] });
  client.setQueryData(keys.projects, [{ id: "p1", name: "Work bench", status: "ready", counts: {} }]);
  client.setQueryData(keys.active("p1"), []);
  const atWork = vi.spyOn(api, "atWork").mockRejectedValue(new TypeError("Failed to fetch"));
  vi.spyOn(api, "projects").mockResolvedValue(client.getQueryData(keys.projects) ?? []);
  vi.spyOn(api, "features").mockResolvedValue([]);
  render(
    <QueryClientProvider client={client}>
      <AgentsPage />
    </QueryClientProvider>,
  );
  const alert = await screen.findByRole("alert");
  expect(screen.queryByText("No agent is at work")).toBeNull();
  expect(screen.queryByText(/0 agents/)).toBeNull();
  atWork.mockResolvedValue({ items: [] });
  await userEvent.click(within(alert).getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("No agent is at work")).toBeTruthy();
});
