import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { api } from "@/api/calls";
import { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { Feature } from "@/api/types";
import { feature } from "@/test/samples";
import { FeatureView } from "./FeatureView";

vi.mock("@tanstack/react-router", async (original) => ({
  ...(await original<typeof import("@tanstack/react-router")>()),
  Link: ({ children }: { children: ReactNode }) => <a href="/">{children}</a>,
}));
vi.mock("./Loaded", () => ({ Loaded: ({ feature }: { feature: Feature }) => <p>{feature.title}</p> }));

/** Shows a card that is known, and fetches it anew, which fails so. */
async function fetchedAnew(error: Error) {
  const client = new QueryClient({
    defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, retry: false } },
  });
  const fetched = vi.spyOn(api, "feature").mockRejectedValue(error);
  client.setQueryData(keys.feature("f1"), feature({ id: "f1", title: "Guest list" }));
  render(
    <QueryClientProvider client={client}>
      <FeatureView featureId="f1" layout="page" />
    </QueryClientProvider>,
  );
  await act(async () => {
    await client.invalidateQueries();
    await new Promise((resolve) => setTimeout(resolve));
  });
  expect(fetched).toHaveBeenCalledOnce();
  expect(client.getQueryState(keys.feature("f1"))?.status).toBe("error");
}

afterEach(() => vi.restoreAllMocks());

test("a view that has its data keeps it when fetching it anew fails", async () => {
  await fetchedAnew(new TypeError("Failed to fetch"));
  expect(screen.getByText("Guest list")).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
});

test("what is gone by now is not shown as if it were there", async () => {
  await fetchedAnew(new ApiError({ status: 404, code: "not-found", detail: "There is no such card." }));
  expect(screen.queryByText("Guest list")).toBeNull();
  expect(screen.getByRole("alert").textContent).toContain("There is");
});
