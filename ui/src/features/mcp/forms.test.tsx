import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { type ReactNode, useState } from "react";
import { afterEach, expect, test, vi } from "vitest";
import { AgentServers } from "./agent-servers";
import { ServerDialog } from "./dialog";
import type { Chosen } from "./draft";
import { type McpServerLine, mcpQueries } from "./queries";
import { TryDialog } from "./try-dialog";

afterEach(() => vi.unstubAllGlobals());

const client = () => new QueryClient({ defaultOptions: { queries: { retry: false } } });
const shown = (children: ReactNode, queries = client()) =>
  render(<QueryClientProvider client={queries}>{children}</QueryClientProvider>);

test("an agent's server by its id is on under its name, and stays by its id until it is switched off", async () => {
  const queries = client();
  const docs: McpServerLine = {
    id: "0198-docs",
    projectId: null,
    name: "docs",
    transport: { kind: "http", url: "https://example.com/mcp" },
    enabled: true,
    trusted: false,
    test: null,
    tools: ["add", "sub"].map((name) => ({ name, standing: "approved", enabled: true, hash: name })),
  };
  queries.setQueryData(mcpQueries.all().queryKey, [docs]);
  let now: Chosen = {};
  function Form() {
    const [chosen, setChosen] = useState<Chosen>({ [docs.id]: null });
    now = chosen;
    return <AgentServers chosen={chosen} onChange={setChosen} disabled={false} error={undefined} />;
  }
  shown(<Form />, queries);
  const one = screen.getByRole("switch", { name: /^docs/, checked: true });
  expect(screen.getAllByRole("switch")).toEqual([one]);
  expect(screen.queryByText(docs.id)).toBeNull();
  await userEvent.click(screen.getByRole("checkbox", { name: "sub" }));
  expect(now).toEqual({ [docs.id]: ["add"] });
  await userEvent.click(one);
  expect(now).toEqual({});
  expect(screen.getAllByRole("switch")).toEqual([one]);
  expect(document.activeElement).toBe(one);
  await userEvent.click(one);
  expect(now).toEqual({ docs: null });
});

test("where the projects cannot be had, it is said, and they can be asked for again", async () => {
  let answer = () => new Response(JSON.stringify({ code: "unavailable" }), { status: 503 });
  vi.stubGlobal("fetch", async () => answer());
  shown(<TryDialog name="docs" onTry={() => {}} onClose={() => {}} />);
  expect(screen.queryByRole("combobox")).toBeNull();
  const again = await screen.findByRole("button", { name: "Try again" });
  expect(screen.queryByRole("combobox")).toBeNull();
  answer = () => Response.json({ items: [], next: null });
  await userEvent.click(again);
  expect(await screen.findByText(/there is none yet/)).toBeTruthy();
});

test("whoever adds a program for the team is told to name one that is installed", () => {
  const of = (projectId: string | null) => {
    const { unmount } = shown(<ServerDialog projectId={projectId} onClose={() => {}} />);
    const command = screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Command" });
    const said = screen.queryByText(/Name one that is installed/) !== null;
    const { placeholder } = command;
    unmount();
    return { placeholder, said };
  };
  expect(of(null)).toEqual({ placeholder: "/usr/local/bin/docs-mcp", said: true });
  expect(of("p")).toEqual({ placeholder: expect.stringMatching(/^npx/), said: false });
});
