import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, it, vi } from "vitest";
import { keys } from "@/api/keys";
import type { DiskReport } from "@/api/types";
import { Staying } from "./use";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ children }: { children: ReactNode }) => <a href="/">{children}</a>,
}));
const answer = vi.hoisted(() => ({ staying: [] as string[] }));
vi.mock("@/api/client", async (original) => ({
  ...(await original<typeof import("@/api/client")>()),
  client: {
    POST: async (_: string, { body }: { body: { paths: string[] } }) => {
      answer.staying = answer.staying.filter((id) => !body.paths.includes(`worktrees/${id}`));
      return { data: { removed: body.paths } };
    },
  },
}));

const report = () =>
  ({
    worktrees: answer.staying.map((runId) => ({ runId, title: runId, unsaved: "too large", over: true })),
  }) as unknown as DiskReport;

function Page() {
  const { data } = useQuery({ queryKey: keys.disk, queryFn: async () => report() });
  return (
    <main id="content" tabIndex={-1}>
      {data && <Staying report={data} />}
    </main>
  );
}

it("leads on to its heading when a worktree was let go, and to the page after the last", async () => {
  answer.staying = ["one", "two"];
  const client = new QueryClient();
  render(
    <QueryClientProvider client={client}>
      <Page />
    </QueryClientProvider>,
  );
  const asked = async (name: string) => {
    const button = await screen.findByRole("button", { name: `Let it go: ${name}` });
    button.focus();
    fireEvent.click(button);
    return within(await screen.findByRole("alertdialog"));
  };
  fireEvent.click((await asked("one")).getByRole("button", { name: "Let it go" }));
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole("heading")));
  // The other goes by itself while that is asked.
  const sure = await asked("two");
  answer.staying = [];
  await client.invalidateQueries({ queryKey: keys.disk });
  await waitFor(() => expect(screen.queryByRole("heading", { name: /^Stays/, hidden: true })).toBeNull());
  fireEvent.click(sure.getByRole("button", { name: "Cancel" }));
  await waitFor(() => expect(document.activeElement?.id).toBe("content"));
});
