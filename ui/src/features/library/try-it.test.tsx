import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  RouterProvider,
} from "@tanstack/react-router";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { Agent } from "@/api/types";
import { UnsavedGuard } from "@/app/unsaved-guard";
import UnsavedQuestion from "@/app/unsaved-question";
import { anyUnsaved } from "@/lib/unsaved";
import { card } from "@/test/samples";
import { agentCalls } from "./queries";
import { TryIt } from "./try-it";

const server = vi.hoisted((): { tasks: () => unknown } => ({ tasks: () => undefined }));
vi.mock("@/api/client", async (original) => ({
  ...(await original<typeof import("@/api/client")>()),
  client: { GET: async () => ({ data: await server.tasks() }) },
}));

const page = (...titles: string[]) => ({
  items: titles.map((title) => card({ id: "t1", title })),
  next: null,
});
const refused = () => {
  throw new ApiError({ status: 503, code: "busy", detail: "The server has too much to do." });
};

async function open(status: Agent["status"], tasks: () => unknown) {
  server.tasks = tasks;
  const client = new QueryClient({
    defaultOptions: { queries: { retry: false, staleTime: Number.POSITIVE_INFINITY } },
  });
  client.setQueryData(keys.projects, [{ id: "p1", name: "Web", status: "ready" }]);
  const close = vi.fn();
  const root = createRootRoute({
    component: () => (
      <>
        <UnsavedGuard />
        <UnsavedQuestion />
        <Outlet />
      </>
    ),
  });
  const library = createRoute({
    getParentRoute: () => root,
    path: "/",
    component: () => <TryIt agent={{ id: "a1", name: "Scout", status } as Agent} onClose={close} />,
  });
  const task = createRoute({
    getParentRoute: () => root,
    path: "/f/$featureId",
    component: () => "Its page",
  });
  const router = createRouter({
    routeTree: root.addChildren([library, task]),
    history: createMemoryHistory({ initialEntries: ["/"] }),
  });
  render(
    <QueryClientProvider client={client}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
  await screen.findByRole("dialog");
  return { close, prompt: () => screen.getByLabelText<HTMLTextAreaElement>("What to do") };
}

test("an archived agent's window is about its tasks, and says when there are none", async () => {
  await open("archived", () => page());
  expect(await screen.findByText("You never gave it anything to do.")).toBeTruthy();
  expect(screen.getByRole("dialog").getAttribute("aria-labelledby")).toBe(
    screen.getByRole("heading", { name: "Its tasks: Scout" }).id,
  );
  expect(screen.queryByText(/It works on this by itself/)).toBeNull();
});

test.each(["active", "archived"] as const)(
  "tasks of an agent that is %s are waited for, and asked for again",
  async (status) => {
    let answer: (() => void) | undefined;
    await open(status, () => new Promise((resolve) => (answer = () => resolve(page("Look")))));
    expect(screen.getByRole("status", { name: "Loading" })).toBeTruthy();
    answer?.();
    expect(await screen.findByText("Look")).toBeTruthy();
    expect(screen.queryByRole("status", { name: "Loading" })).toBeNull();
  },
);

test.each(["active", "archived"] as const)(
  "tasks of an agent that is %s that do not come are not taken for none",
  async (status) => {
    await open(status, refused);
    expect((await screen.findByRole("alert")).textContent).toContain("The server has too much to do.");
    expect(screen.queryByText("You never gave it anything to do.")).toBeNull();
    server.tasks = () => page("Look");
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("Look")).toBeTruthy();
    expect(screen.queryByRole("alert")).toBeNull();
  },
);

test("the way to a task asks before it leaves what was typed", async () => {
  const { close, prompt } = await open("active", () => page("Look"));
  await userEvent.type(prompt(), "Find it.");
  await userEvent.click(await screen.findByRole("link", { name: "Look" }));
  await userEvent.click(await screen.findByRole("button", { name: "Keep editing" }));
  await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
  expect(close).not.toHaveBeenCalled();
  expect(prompt().value).toBe("Find it.");
  await userEvent.click(screen.getByRole("link", { name: "Look" }));
  await userEvent.click(await screen.findByRole("button", { name: "Leave" }));
  expect(await screen.findByText("Its page")).toBeTruthy();
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(anyUnsaved()).toBe(false);
});

test("what was typed is held until the task has begun", async () => {
  let fail: (() => void) | undefined;
  vi.spyOn(agentCalls, "run").mockImplementation(
    () =>
      new Promise(
        (_, reject) => (fail = () => reject(new ApiError({ status: 0, code: "x", detail: "No." }))),
      ),
  );
  const { prompt } = await open("active", () => page());
  await userEvent.type(prompt(), "Find it.");
  await userEvent.click(screen.getByRole("button", { name: "Run" }));
  expect(fail).toBeDefined();
  expect(anyUnsaved()).toBe(true);
  fail?.();
  expect(await screen.findByText("No.")).toBeTruthy();
  expect(anyUnsaved()).toBe(true);
});
