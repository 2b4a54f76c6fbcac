import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { ExecutionView, System } from "@/api/types";
import { RunAgain } from "./run-again";

const answer = vi.hoisted((): { now: () => unknown } => ({ now: () => undefined }));
vi.mock("@/api/client", async (original) => ({
  ...(await original<typeof import("@/api/client")>()),
  client: { GET: async () => ({ data: answer.now() }) },
}));
vi.mock("./run-dialog", () => ({
  RunDialog: ({ schema, draft }: { schema: System["inputSchema"]; draft: boolean }) => (
    <p role="dialog">{`${Object.keys(schema?.properties ?? {})} ${draft ? "draft" : "active"}`}</p>
  ),
}));

const system = (status: System["status"], field: string) =>
  ({
    id: "s1",
    name: "Research",
    status,
    inputSchema: { properties: { [field]: { type: "string" } } },
  }) as System;
// When it ran, it was asked a question.
const execution = {
  systemId: "s1",
  projectId: "p1",
  input: { question: "Why?" },
  definition: { inputSchema: { properties: { question: { type: "string" } } } },
} as unknown as ExecutionView;

function show() {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  client.setQueryData(keys.system("s1"), system("active", "question"));
  render(
    <QueryClientProvider client={client}>
      <RunAgain execution={execution} />
    </QueryClientProvider>,
  );
  return screen.getByRole("button", { name: "Run again" });
}

it("asks for what the system needs now, and says that it is a draft now", async () => {
  answer.now = () => system("draft", "goal");
  fireEvent.click(show());
  expect((await screen.findByRole("dialog")).textContent).toBe("goal draft");
});

it.each([
  ["was archived", () => system("archived", "goal")],
  [
    "is gone",
    () => {
      throw new ApiError({ status: 404, code: "not-found", detail: "It is gone." });
    },
  ],
])("is not offered where the system %s", async (_, now) => {
  answer.now = now;
  fireEvent.click(show());
  await vi.waitFor(() => expect(screen.queryByRole("button")).toBeNull());
  expect(screen.queryByRole("dialog")).toBeNull();
});
