import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, within } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, test, vi } from "vitest";
import { keys } from "@/api/keys";
import type { QueueItem } from "@/api/types";
import { feature } from "@/test/samples";
import { Queue } from "./queue";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ to, hash, children }: { to: string; hash?: string; children: ReactNode }) => (
    <a href={`${to}${hash ? `#${hash}` : ""}`}>{children}</a>
  ),
}));

const item = (featureId: string, position: number | null, waiting: object): QueueItem => ({
  kind: "card",
  featureId,
  projectId: "p1",
  runId: null,
  memberId: "m1",
  position,
  waiting: { message: `Why ${featureId}.`, ...waiting } as QueueItem["waiting"],
});

test("what cannot begin as it stands is apart from the queue, with the way to what helps", () => {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  client.setQueryData(keys.teamQueue, [
    item("turn", 1, { code: "turn" }),
    item("provider", null, { code: "provider", until: new Date().toISOString(), why: "It is full." }),
    item("plan", null, { code: "plan" }),
    item("keyless", null, { code: "hindered", why: "no key" }),
  ]);
  for (const id of ["turn", "provider", "plan", "keyless"])
    client.setQueryData(keys.feature(id), feature({ id, title: id }));
  client.setQueryData(keys.me, { id: "m1", rights: ["keys"] });
  client.setQueryData(keys.members, []);
  client.setQueryData(keys.models, { default: null, items: [] });
  render(
    <QueryClientProvider client={client}>
      <Queue names={new Map([["p1", "Work bench"]])} />
    </QueryClientProvider>,
  );
  const queue = within(screen.getByRole("region", { name: "Queue" }));
  expect(queue.getAllByRole("listitem").map((row) => row.textContent?.match(/turn|provider/)?.[0])).toEqual([
    "turn",
    "provider",
  ]);
  const stuck = within(screen.getByRole("region", { name: "Cannot begin" }));
  expect(stuck.getAllByRole("listitem")).toHaveLength(2);
  expect(stuck.getByRole("link", { name: "Look at the plan" })).toBeTruthy();
  expect(stuck.getByRole("link", { name: "Add a key" }).getAttribute("href")).toBe("/settings#keys");
});
