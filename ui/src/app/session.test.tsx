import { QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { type ReactNode, useState } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { send } from "@/api/client";
import { keys } from "@/api/keys";
import type { Me } from "@/api/types";
import { Input } from "@/components/ui/input";
import { editor, openEditor } from "@/features/editor/store";
import { kept } from "@/features/feature/lib/kept";
import { useUnsaved } from "@/lib/unsaved";
import { queryClient } from "./query-client";
import { enter, onLeave } from "./session";
import { SignInAgain } from "./sign-in-again";

const member = (id: string) => ({ id, name: id, email: `${id}@example.com`, role: "member" }) as Me;
const problem = (code: string) =>
  Response.json({ status: 401, code, detail: `It is ${code}.` }, { status: 401 });

/** Who the server takes the browser for. */
let signedIn: string | null;
let sent: string[];
let left: string[];

async function server(input: Request | string, init?: RequestInit): Promise<Response> {
  const request = input instanceof Request ? input : new Request(new URL(input, location.href), init);
  const { pathname: path } = new URL(request.url);
  if (path === "/api/auth/status") return Response.json({ setUp: true, signIn: [], providers: [] });
  if (path === "/api/auth/login") {
    const { email, password } = await request.json();
    if (password !== "right") return problem("wrong-password");
    signedIn = email.split("@")[0];
    return Response.json(member(signedIn ?? ""));
  }
  if (signedIn === null) return problem("not-signed-in");
  if (path === "/api/auth/me") return Response.json(member(signedIn));
  sent.push(`${signedIn} ${await request.text()}`);
  return Response.json({});
}

function Form() {
  const [text, setText] = useState("");
  useUnsaved(text !== "");
  return <Input aria-label="Prompt" value={text} onChange={(event) => setText(event.target.value)} />;
}

const write = (text: string) =>
  send(new Request(new URL("/api/things", location.href), { method: "POST", body: text }));
const within = (shown: ReactNode) =>
  render(<QueryClientProvider client={queryClient}>{shown}</QueryClientProvider>);
const show = async (typed: string, asks = true) => {
  within(
    <>
      <Form />
      {asks && <SignInAgain />}
    </>,
  );
  if (typed !== "") await userEvent.type(screen.getByLabelText("Prompt"), typed);
};
const signIn = async (email: string, password: string) => {
  const field = await screen.findByLabelText("E-mail");
  await userEvent.clear(field);
  await userEvent.type(field, email);
  const word = screen.getByLabelText("Password");
  await userEvent.clear(word);
  await userEvent.type(word, password);
  await userEvent.click(screen.getByRole("button", { name: "Sign in" }));
};

beforeEach(() => {
  [sent, left] = [[], []];
  vi.stubGlobal("fetch", server);
  vi.stubGlobal(
    "WebSocket",
    class {
      close() {}
    },
  );
  onLeave((to) => left.push(to));
  signedIn = null;
  enter(member("ada"));
});
afterEach(() => {
  vi.unstubAllGlobals();
  queryClient.clear();
  localStorage.clear();
});

test("whose session ends over what is not saved signs in there, and goes on", async () => {
  await show("You review.");
  const answers = Promise.all([write("one"), write("two")]);
  expect((await screen.findByLabelText<HTMLInputElement>("E-mail")).value).toBe("ada@example.com");
  await signIn("ada@example.com", "wrong");
  await screen.findByText("It is wrong-password.");
  await signIn("ada@example.com", "right");
  for (const answer of await answers) expect(answer.ok).toBe(true);
  expect(sent.sort()).toEqual(["ada one", "ada two"]);
  await waitFor(() => expect(screen.queryByLabelText("E-mail")).toBeNull());
  expect(screen.getByLabelText<HTMLInputElement>("Prompt").value).toBe("You review.");
  expect(left).toEqual([]);
  expect(queryClient.getQueryData<Me>(keys.me)?.id).toBe("ada");
});

test("what asks for that may come late", async () => {
  await show("You review.", false);
  const answer = write("one");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(left).toEqual([]);
  within(<SignInAgain />);
  await signIn("ada@example.com", "right");
  expect((await answer).ok).toBe(true);
  expect(screen.getByLabelText<HTMLInputElement>("Prompt").value).toBe("You review.");
  expect(left).toEqual([]);
});

test("signing in in another tab is as good", async () => {
  await show("You review.");
  const answer = write("one");
  await screen.findByLabelText("E-mail");
  signedIn = "ada";
  act(() => void window.dispatchEvent(new Event("focus")));
  expect((await answer).ok).toBe(true);
  expect(left).toEqual([]);
});

test("whatever closes what asks for it, it is asked until it is answered", async () => {
  await show("You review.");
  const answer = write("one");
  const field = await screen.findByLabelText("E-mail");
  const dialog = field.closest("dialog") as HTMLDialogElement;
  const key = new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true });
  act(() => void field.dispatchEvent(key));
  expect(key.defaultPrevented).toBe(true);
  act(() => dialog.close());
  await waitFor(() => expect(dialog.open).toBe(true));
  await signIn("ada@example.com", "right");
  expect((await answer).ok).toBe(true);
  expect(left).toEqual([]);
});

test("another member begins anew, and nothing is sent as theirs", async () => {
  kept.draft("f1").set("Ada's words");
  act(() => openEditor({ mode: "create", projectId: "p1" }));
  await show("You review.");
  const answer = write("one").catch((error) => error.code);
  await signIn("ben@example.com", "right");
  expect(await answer).toBe("not-signed-in");
  expect(sent).toEqual([]);
  expect(left).toEqual(["/"]);
  expect(queryClient.getQueryData<Me>(keys.me)?.id).toBe("ben");
  expect(editor.get()).toBeNull();
  expect(kept.draft("f1").get()).toBe("");
});

test("where nothing would be lost, the page is left at once; else when somebody says so", async () => {
  await show("");
  await expect(write("one")).rejects.toMatchObject({ code: "not-signed-in" });
  expect(left).toEqual(["/login"]);
  act(() => enter(member("ada")));
  await userEvent.type(screen.getByLabelText("Prompt"), "x");
  const answer = write("two").catch((error) => error.code);
  await userEvent.click(await screen.findByRole("button", { name: "Leave without saving" }));
  expect(await answer).toBe("not-signed-in");
  expect(left).toEqual(["/login", "/login"]);
});
