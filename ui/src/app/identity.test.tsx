import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api } from "@/api/calls";
import { send } from "@/api/client";
import type { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { Toaster, toast } from "@/components/ui/toast";
import { identity } from "./identity";
import IdentityDialog from "./identity-dialog";

const PASSWORD = "seven quiet lanterns";

const problem = (status: number, code: string, more: object = {}) =>
  new Response(JSON.stringify({ status, code, detail: `It is ${code}.`, requestId: "r-1", ...more }), {
    status,
    headers: { "content-type": "application/problem+json" },
  });

interface Sent {
  method: string;
  path: string;
  body: string;
}
let sent: Sent[];
let confirmed: boolean;
let client: QueryClient;

/** A server that wants the password before anything but reading. */
async function server(input: Request | string, init?: RequestInit): Promise<Response> {
  const request = new Request(input instanceof Request ? input : new URL(input, location.href), init);
  const { pathname: path } = new URL(request.url);
  const body = await request.text();
  sent.push({ method: request.method, path, body });
  if (path === "/api/auth/confirm") {
    if (JSON.parse(body).password === PASSWORD) {
      confirmed = true;
      return new Response(null, { status: 204 });
    }
    return problem(422, "invalid", {
      errors: [{ field: "password", message: "this is not your password" }],
    });
  }
  return confirmed ? Response.json({ token: "guild_x" }, { status: 201 }) : problem(403, "confirm-needed");
}

function Asking() {
  return identity.use() === null ? null : <IdentityDialog />;
}

beforeEach(() => {
  sent = [];
  confirmed = false;
  vi.stubGlobal("fetch", server);
  client = new QueryClient({ defaultOptions: { queries: { enabled: false } } });
  render(
    <QueryClientProvider client={client}>
      <Asking />
      <Toaster />
    </QueryClientProvider>,
  );
});
afterEach(() => {
  identity.get()?.settle(false);
  vi.unstubAllGlobals();
});

const write = (name: string) =>
  send(
    new Request(new URL("/api/auth/tokens", location.href), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name }),
    }),
  );
const writes = () => sent.filter(({ path }) => path === "/api/auth/tokens").map(({ body }) => body);

test("asks for the password, then sends the same request once more", async () => {
  const user = userEvent.setup();
  const answer = write("one");
  const field = await screen.findByLabelText("Password");
  await user.type(field, "a wrong password");
  await user.click(screen.getByRole("button", { name: "Confirm" }));
  expect(await screen.findByText("this is not your password")).toBeTruthy();
  expect(writes()).toEqual(['{"name":"one"}']);
  await user.clear(field);
  await user.type(field, PASSWORD);
  await user.click(screen.getByRole("button", { name: "Confirm" }));
  expect((await answer).status).toBe(201);
  expect(writes()).toEqual(['{"name":"one"}', '{"name":"one"}']);
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

test("goes on with the refusal when it is cancelled, and without a toast", async () => {
  const user = userEvent.setup();
  const answer = write("one").then(
    () => null,
    (error: ApiError) => error,
  );
  await user.click(await screen.findByRole("button", { name: "Cancel" }));
  const error = await answer;
  expect(error).toMatchObject({ status: 403, code: "confirm-needed", requestId: "r-1" });
  expect(writes()).toHaveLength(1);
  toast.error(undefined, error as ApiError);
  toast.done("Something else");
  expect(await screen.findAllByText("Something else")).not.toHaveLength(0);
  expect(screen.queryByText(/confirm/i)).toBeNull();
});

test("asks once for all that wait, and again the next time", async () => {
  const user = userEvent.setup();
  const both = Promise.all([write("one"), write("two")]);
  await user.type(await screen.findByLabelText("Password"), PASSWORD);
  expect(screen.getAllByLabelText("Password")).toHaveLength(1);
  await user.keyboard("{Enter}");
  await both;
  expect(writes().sort()).toEqual(['{"name":"one"}', '{"name":"one"}', '{"name":"two"}', '{"name":"two"}']);
  expect(sent.filter(({ path }) => path === "/api/auth/confirm")).toHaveLength(1);
  confirmed = false;
  const third = write("three");
  await user.type(await screen.findByLabelText("Password"), PASSWORD);
  await user.keyboard("{Enter}");
  expect((await third).status).toBe(201);
});

test("a form that is sent by its address is repeated as well", async () => {
  const user = userEvent.setup();
  const answer = api.attach("f1", new File(["text"], "note.txt", { type: "text/plain" }));
  await user.type(await screen.findByLabelText("Password"), PASSWORD);
  await user.keyboard("{Enter}");
  await answer;
  const files = sent.filter(({ path }) => path === "/api/features/f1/attachments");
  expect(files).toHaveLength(2);
  expect(files[1]?.body).toContain("note.txt");
});

test("reading what may not be read asks for nothing", async () => {
  vi.stubGlobal("fetch", async () => problem(403, "missing-right"));
  await expect(send("/api/audit")).rejects.toMatchObject({ code: "missing-right" });
  expect(identity.get()).toBeNull();
});

test("whoever has a second factor gives it as well, or a recovery code in its place", async () => {
  const user = userEvent.setup();
  client.setQueryData(keys.me, { email: "a@example.com", secondFactors: ["totp", "recoveryCode"] });
  const proof = () => JSON.parse(sent.findLast(({ path }) => path === "/api/auth/confirm")?.body ?? "{}");
  const answer = write("one");
  await user.type(await screen.findByLabelText("Password"), "a wrong password");
  await user.type(screen.getByLabelText("Code of your authenticator app"), "123456{Enter}");
  await waitFor(() => expect(proof()).toEqual({ password: "a wrong password", code: "123456" }));
  expect(screen.queryByRole("button", { name: "Use a passkey" })).toBeNull();
  await user.click(await screen.findByRole("button", { name: "Use a recovery code" }));
  await user.clear(screen.getByLabelText("Password"));
  await user.type(screen.getByLabelText("Password"), PASSWORD);
  await user.clear(screen.getByLabelText("Recovery code"));
  await user.type(screen.getByLabelText("Recovery code"), "abcd-efgh{Enter}");
  expect((await answer).status).toBe(201);
  expect(proof()).toEqual({ password: PASSWORD, recoveryCode: "abcd-efgh" });
});
