import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keys } from "@/api/keys";
import type { Run } from "@/api/types";
import { feature, run } from "@/test/samples";
import { Facts } from "./Facts";

vi.mock("@/features/library/agent-name", () => ({ default: () => null }));

const STARTED = "2026-03-10T12:00:00Z";

beforeEach(() => vi.useFakeTimers({ now: Date.parse(STARTED) + 60_000 }));
afterEach(() => vi.useRealTimers());

function show(part: Partial<Run>, finishedAt: string | null = null) {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  client.setQueryData(keys.members, [{ id: "m1", name: "Ada Lovelace", avatar: null }]);
  client.setQueryData(keys.models, { default: null, items: [] });
  render(
    <QueryClientProvider client={client}>
      <Facts
        feature={feature({ id: "f1", finishedAt })}
        run={run({ id: "r1", model: "model", startedAt: STARTED, ...part })}
      />
    </QueryClientProvider>,
  );
}

const time = () => screen.queryByText(/^\d+:\d\d$/)?.textContent;

test("the clock runs while an agent works, and only then", () => {
  show({ status: "running" });
  expect(time()).toBe("1:00");
  act(() => vi.advanceTimersByTime(5_000));
  expect(time()).toBe("1:05");
});

test("a run that waits in the queue shows how long was worked on it, if that is known", () => {
  show({ status: "queued" }, "2026-03-10T12:00:30Z");
  expect(time()).toBe("0:30");
  act(() => vi.advanceTimersByTime(5_000));
  expect(time()).toBe("0:30");
});

test("and no clock where it is not", () => {
  show({ status: "queued" });
  expect(time()).toBeUndefined();
});

test("each fact says what it is", () => {
  show({ status: "running" });
  expect(screen.getByText("Ada Lovelace").parentElement?.textContent).toBe("ALStarted by: Ada Lovelace");
  expect(screen.getByText("model").textContent).toBe("Model: model");
});
