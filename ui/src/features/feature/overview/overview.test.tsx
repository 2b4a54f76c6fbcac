import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import type { Feature } from "@/api/types";
import { feature } from "@/test/samples";
import { OverviewTab } from "./OverviewTab";

afterEach(() => vi.unstubAllGlobals());

const show = (card: Feature) => {
  // Nothing else is there: neither project nor models.
  vi.stubGlobal("fetch", async () => Response.json({ code: "not-found" }, { status: 404 }));
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return render(
    <QueryClientProvider client={client}>
      <OverviewTab feature={card} runs={[]} go={() => {}} />
    </QueryClientProvider>,
  );
};
/** What stands beside a name in the settings. */
const said = (name: string) => screen.getByText(name, { selector: "dt" }).nextElementSibling?.textContent;

test("the overview tells what a run may cost, and whether a person looks", () => {
  const { unmount } = show(feature({ id: "a", needsApproval: true, budgetMicros: 2_500_000 }));
  expect(said("A person looks")).toBe("Whatever the checks say");
  expect(said("Budget")).toBe("2.50 US dollars for a run");
  unmount();
  show(feature({ id: "a" }));
  expect(said("A person looks")).toBe("As the project has it");
  expect(said("Budget")).toBe("The team's limit");
});

test("the name of its branch is copied, for a git program", async () => {
  const user = userEvent.setup();
  show(feature({ id: "a", branch: "guildhall/1-card" }));
  await user.click(screen.getByRole("button", { name: "Copy the branch's name" }));
  expect(await navigator.clipboard.readText()).toBe("guildhall/1-card");
});
