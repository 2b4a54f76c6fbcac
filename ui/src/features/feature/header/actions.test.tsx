import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { keys } from "@/api/keys";
import type { Feature } from "@/api/types";
import { whyNot } from "@/features/feature/useSay";
import { feature } from "@/test/samples";
import { Actions } from "./Actions";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ to, params, children, ...props }: { to: string; params: object; children: unknown }) => (
    <a href={`${to} ${Object.values(params).join()}`} {...props}>
      {children as string}
    </a>
  ),
}));

function show(part: Partial<Feature>, execution?: { status: string }) {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  client.setQueryData(keys.me, { id: "m1", rights: ["build", "run"] });
  client.setQueryData(keys.execution("e1"), { id: "e1", name: "Feature planning", ...execution });
  const shown = feature({ id: "f1", kind: "task", ...part });
  render(
    <QueryClientProvider client={client}>
      <Actions feature={shown} mayBuild layout="page" go={() => {}} onMerge={() => {}} onDeleted={() => {}} />
    </QueryClientProvider>,
  );
  return shown;
}

/** What can be pressed beside the menu. */
const buttons = () => screen.getAllByRole("button").flatMap((button) => button.textContent?.trim() || []);

test("what works for a step leads back to its execution, and can only be ended with that, when one was asked", () => {
  const shown = show({ status: "failed", executionId: "e1" }, { status: "running" });
  expect(buttons()).toEqual(["End the execution"]);
  expect(screen.getByRole("link", { name: "Feature planning" }).getAttribute("href")).toContain("e1");
  fireEvent.click(screen.getByRole("button", { name: "End the execution" }));
  expect(screen.getByText("End this execution?")).toBeTruthy();
  expect(whyNot(shown, true)).toMatch(/the execution decides/);
});

test("nothing is left to be ended of an execution that is over", () => {
  show({ status: "in_progress", executionId: "e1" }, { status: "completed" });
  expect(buttons()).toEqual([]);
});

test("what an agent did by itself becomes a card when it has ended, where it could change files", () => {
  show({ status: "waiting_approval", mode: "work" });
  expect(buttons()).toEqual(["Turn into a card"]);
});

test("and not while it works, or where it only looked", () => {
  show({ status: "in_progress", mode: "work" });
  show({ status: "waiting_approval", mode: "read" });
  expect(buttons()).toEqual(["Stop"]);
});
