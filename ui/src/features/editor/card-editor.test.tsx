import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keys } from "@/api/keys";
import type { Feature } from "@/api/types";
import { Toaster } from "@/components/ui/toast";
import { TooltipProvider } from "@/components/ui/tooltip";
import { feature } from "@/test/samples";
import CardEditor from "./card-editor";
import { BLANK, draftOf, keptDraft } from "./draft";
import { closeEditor, editor, openEditor } from "./store";

const refused = (status: number, code: string) =>
  Response.json({ status, code, detail: `It is ${code}.` }, { status });

let sent: { at: string; body: unknown }[];
let answers: Record<string, () => Response | Promise<Response>>;
let client: QueryClient;

/** A server that answers what the test says, and to everything else that nothing is there. */
async function server(input: Request | string, init?: RequestInit): Promise<Response> {
  const request = input instanceof Request ? input : new Request(new URL(input, location.href), init);
  const at = `${request.method} ${new URL(request.url).pathname}`;
  if (request.method !== "GET") sent.push({ at, body: await request.json().catch(() => null) });
  return answers[at]?.() ?? Response.json({ items: [], next: null });
}

const show = () =>
  render(
    <QueryClientProvider client={client}>
      <TooltipProvider>
        <CardEditor />
        <Toaster />
      </TooltipProvider>
    </QueryClientProvider>,
  );
const there = (card: Feature) => {
  client.setQueryData(keys.feature(card.id), card);
  answers[`GET /api/features/${card.id}`] = () => Response.json(card);
};
const open = (request: Parameters<typeof openEditor>[0]) => act(() => openEditor(request));
const title = () => screen.findByLabelText<HTMLInputElement>("Title");
const description = () => screen.getByLabelText<HTMLTextAreaElement>("Description");

beforeEach(() => {
  sent = [];
  answers = {};
  client = new QueryClient({
    defaultOptions: { queries: { retry: false, staleTime: Number.POSITIVE_INFINITY } },
  });
  client.setQueryData(keys.me, { id: "m1", rights: ["read", "build", "run"] });
  vi.stubGlobal("fetch", server);
});
afterEach(() => {
  act(closeEditor);
  localStorage.clear();
  vi.unstubAllGlobals();
});

describe("the branch of a card", () => {
  it("is written with it, and what the server has against it stands at the field, once", async () => {
    const user = userEvent.setup();
    const card = feature({ id: "f2", title: "Greet", version: 3 });
    there(card);
    const errors = [{ field: "branch", message: "this is no name for a git branch" }];
    answers["PATCH /api/features/f2"] = () =>
      Response.json({ status: 422, code: "invalid", detail: "Look at the branch.", errors }, { status: 422 });
    show();
    open({ mode: "edit", featureId: "f2" });
    await title();
    const field = screen.getByLabelText("Branch");
    await user.type(field, "two words");
    expect(screen.getByText(/is refused when the card is started/)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: /^Save Ctrl|^Save$|^Save ⌘/ }));
    const told = await screen.findByRole("alert");
    expect(told.textContent).toBe("This is no name for a git branch. Name another one, or leave it empty.");
    expect(field.getAttribute("aria-describedby")).toBe(told.id);
    expect(field.getAttribute("aria-invalid")).toBe("true");
    expect(screen.queryByText("Look at the branch.")).toBeNull();
    answers["PATCH /api/features/f2"] = () => Response.json({ ...card, branch: "mine", version: 4 });
    await user.clear(field);
    await user.type(field, "mine");
    await user.click(screen.getByRole("button", { name: /^Save Ctrl|^Save$|^Save ⌘/ }));
    await waitFor(() => expect(editor.get()).toBeNull());
    expect(sent.at(-1)?.body).toEqual({ branch: "mine", expectVersion: 3 });
  });
});

describe("a suggestion for a description", () => {
  const card = feature({ id: "f3", title: "Greet", description: "Say hello.", version: 3 });
  const task = (status: string, result: string | null, error: object | null = null) => ({
    featureId: "t1",
    runId: "r1",
    projectId: "p1",
    status,
    result,
    error,
  });
  const begin = async () => {
    const user = userEvent.setup();
    there(card);
    show();
    open({ mode: "edit", featureId: "f3" });
    await title();
    await user.click(screen.getByRole("button", { name: "Improve…" }));
    await user.click(await screen.findByRole("menuitem", { name: "Add acceptance criteria" }));
    return user;
  };

  it("is looked at, taken, and saved as one; the former text is one click away", async () => {
    answers["POST /api/projects/p1/enhance"] = () => Response.json(task("queued", null), { status: 202 });
    answers["GET /api/tasks/t1"] = () =>
      Response.json(task("closed", "```markdown\nSay hello.\n\n- [ ] Heard.\n```"));
    answers["PATCH /api/features/f3"] = () => Response.json({ ...card, version: 4 });
    const user = await begin();
    const asked = { kind: "acceptance_criteria", title: "Greet", description: "Say hello." };
    expect(sent).toEqual([{ at: "POST /api/projects/p1/enhance", body: asked }]);
    await user.click(await screen.findByRole("button", { name: "Take the suggestion" }));
    expect(description().value).toBe("Say hello.\n\n- [ ] Heard.");
    await user.click(screen.getByRole("button", { name: "Back to what I wrote" }));
    expect(description().value).toBe("Say hello.");
    await user.click(screen.getByRole("button", { name: "Improve…" }));
    await user.click(await screen.findByRole("menuitem", { name: "Add acceptance criteria" }));
    await user.click(await screen.findByRole("button", { name: "Take the suggestion" }));
    await user.click(screen.getByRole("button", { name: /^Save Ctrl|^Save$|^Save ⌘/ }));
    await waitFor(() => expect(editor.get()).toBeNull());
    const body = { description: "Say hello.\n\n- [ ] Heard.", enhanced: true, expectVersion: 3 };
    expect(sent.at(-1)).toEqual({ at: "PATCH /api/features/f3", body });
  });

  it("that cannot be made says why, and changes nothing", async () => {
    answers["POST /api/projects/p1/enhance"] = () => refused(409, "no-key");
    const user = await begin();
    expect(await screen.findByText("It is no-key.")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Keep mine" }));
    answers["POST /api/projects/p1/enhance"] = () =>
      Response.json(task("failed", null, { code: "outage", message: "The provider is down.", hint: "" }), {
        status: 202,
      });
    answers["GET /api/tasks/t1"] = answers["POST /api/projects/p1/enhance"];
    await user.click(screen.getByRole("button", { name: "Improve…" }));
    await user.click(await screen.findByRole("menuitem", { name: "Say it more clearly" }));
    expect(await screen.findByText("The provider is down.")).toBeTruthy();
    expect(description().value).toBe("Say hello.");
  });

  it("is stopped when the window closes before it is there", async () => {
    answers["POST /api/projects/p1/enhance"] = () => Response.json(task("running", null), { status: 202 });
    answers["GET /api/tasks/t1"] = () => Response.json(task("running", null));
    await begin();
    expect(await screen.findByRole("button", { name: "Stop" })).toBeTruthy();
    await act(async () => closeEditor());
    await waitFor(() => expect(sent.at(-1)?.at).toBe("POST /api/features/t1/stop"));
  });
});

describe("a suggestion that nobody waits for", () => {
  const task = { featureId: "t1", runId: "r1", projectId: "p1", status: "queued", result: null, error: null };
  it("is stopped as soon as it is known, where it was given up before", async () => {
    const user = userEvent.setup();
    let answer: (response: Response) => void = () => {};
    answers["POST /api/projects/p1/enhance"] = () =>
      new Promise<Response>((resolve) => {
        answer = resolve;
      });
    there(feature({ id: "f4", title: "Greet", description: "Say hello.", version: 3 }));
    show();
    open({ mode: "edit", featureId: "f4" });
    await title();
    await user.click(screen.getByRole("button", { name: "Improve…" }));
    await user.click(await screen.findByRole("menuitem", { name: "Say it more clearly" }));
    await user.click(await screen.findByRole("button", { name: "Stop" }));
    expect(sent.length).toBe(1);
    await act(async () => answer(Response.json(task, { status: 202 })));
    await waitFor(() => expect(sent.at(-1)?.at).toBe("POST /api/features/t1/stop"));
  });

  it("goes with the card that it was made for", async () => {
    const user = userEvent.setup();
    localStorage.setItem("guildhall.create-more", "yes");
    answers["POST /api/projects/p1/enhance"] = () =>
      Response.json({ ...task, status: "closed", result: "Say it aloud." }, { status: 202 });
    answers["GET /api/tasks/t1"] = answers["POST /api/projects/p1/enhance"];
    answers["POST /api/projects/p1/features"] = () => Response.json(feature({ id: "f5" }), { status: 201 });
    show();
    open({ mode: "create", projectId: "p1" });
    await title();
    await user.type(description(), "Say hello.");
    await user.click(screen.getByRole("button", { name: "Improve…" }));
    await user.click(await screen.findByRole("menuitem", { name: "Say it more clearly" }));
    expect(await screen.findByRole("button", { name: "Take the suggestion" })).toBeTruthy();
    await user.click(screen.getByRole("button", { name: /^Create( Ctrl| ⌘|$)/ }));
    await waitFor(() => expect(description().value).toBe(""));
    await waitFor(() => expect(screen.queryByRole("region", { name: "Suggestion" })).toBeNull());
  });
});

describe("a draft that was left behind", () => {
  const before = feature({ id: "f1", title: "Greet", description: "Say hello.", version: 3 });
  const leave = (part: object) =>
    keptDraft("feature.f1").set({
      draft: { ...draftOf(before), ...part },
      base: draftOf(before),
      version: 3,
    });
  afterEach(() => keptDraft("feature.f1").set(null));

  it("does not undo what others changed since", async () => {
    const user = userEvent.setup();
    leave({ title: "Greet everybody " });
    there({ ...before, description: "Say good morning.", version: 5 });
    const saved = { ...before, title: "Greet everybody", description: "Say good morning.", version: 6 };
    answers["PATCH /api/features/f1"] = () => Response.json(saved);
    show();
    open({ mode: "edit", featureId: "f1" });
    expect((await title()).value).toBe("Greet everybody ");
    expect(description().value).toBe("Say good morning.");
    expect(screen.getByText("You go on with a draft that you left here.")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: /^Save Ctrl|^Save$|^Save ⌘/ }));
    await waitFor(() => expect(editor.get()).toBeNull());
    expect(sent).toEqual([
      { at: "PATCH /api/features/f1", body: { title: "Greet everybody", expectVersion: 5 } },
    ]);
    expect(keptDraft("feature.f1").get()).toBeNull();
  });

  it("is asked about where both changed the same, and can be dropped", async () => {
    const user = userEvent.setup();
    leave({ description: "Say ahoy." });
    there({ ...before, description: "Say good morning.", version: 5 });
    answers["PATCH /api/features/f1"] = () => refused(409, "stale");
    show();
    open({ mode: "edit", featureId: "f1" });
    await title();
    expect(screen.getByText(/Somebody else has changed the same/)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: /^Save Ctrl|^Save$|^Save ⌘/ }));
    await screen.findByRole("button", { name: "Overwrite with mine" });
    expect(sent[0]?.body).toEqual({ description: "Say ahoy.", expectVersion: 3 });
    await user.click(screen.getByRole("button", { name: "Take theirs" }));
    await waitFor(() => expect(description().value).toBe("Say good morning."));
    expect(keptDraft("feature.f1").get()).toBeNull();
  });

  it("of a new card is left alone by one that begins with something", async () => {
    const user = userEvent.setup();
    const left = { draft: { ...BLANK, description: "Half a thought" }, base: BLANK, version: 0 };
    keptDraft("p1").set(left);
    show();
    open({ mode: "create", projectId: "p1", initial: { title: "Looked for" } });
    await user.type(await title(), "!");
    expect(keptDraft("p1").get()).toEqual(left);
    await user.keyboard("{Escape}");
    await user.click(await screen.findByRole("button", { name: "Discard" }));
    await waitFor(() => expect(editor.get()).toBeNull());
    expect(keptDraft("p1").get()).toEqual(left);
    open({ mode: "create", projectId: "p1" });
    await waitFor(() => expect(description().value).toBe("Half a thought"));
    await user.click(screen.getByRole("button", { name: "Discard the draft" }));
    expect(description().value).toBe("");
    expect(keptDraft("p1").get()).toBeNull();
  });
});

describe("a card with pictures", () => {
  const picture = new File([new Uint8Array(8)], "screen.png", { type: "image/png" });
  const attach = async () => {
    const picker = document.querySelector<HTMLInputElement>("input[type=file]");
    if (picker === null) throw new Error("no picker");
    await userEvent.upload(picker, picture);
  };

  it("is not begun without one that could not be put on it", async () => {
    const user = userEvent.setup();
    const written = feature({ id: "f9", title: "Look", number: 9, version: 1 });
    let takes = false;
    answers["POST /api/projects/p1/features"] = () => Response.json(written, { status: 201 });
    answers["GET /api/features/f9"] = () => Response.json(written);
    answers["POST /api/features/f9/attachments"] = () =>
      takes
        ? Response.json({ id: "a1", name: "screen.png", size: 8, mediaType: "image/png" }, { status: 201 })
        : refused(507, "disk-full");
    answers["POST /api/features/f9/start"] = () => refused(409, "no-key");
    show();
    open({ mode: "create", projectId: "p1" });
    await user.type(await title(), "Look");
    await attach();
    await user.click(screen.getByRole("button", { name: "Create and start" }));
    await screen.findByText(/These files are not on the card yet/);
    expect(screen.getByRole("dialog", { name: "Edit card" })).toBeTruthy();
    expect(screen.getByText("screen.png")).toBeTruthy();
    expect(sent.map(({ at }) => at)).not.toContain("POST /api/features/f9/start");
    takes = true;
    await user.click(screen.getByRole("button", { name: "Save and start" }));
    await waitFor(() => expect(sent.at(-1)?.at).toBe("POST /api/features/f9/start"));
    expect(editor.get()).toBeNull();
  });

  it("is not closed over them without a question", async () => {
    const user = userEvent.setup();
    show();
    open({ mode: "create", projectId: "p1" });
    await title();
    await attach();
    await user.keyboard("{Escape}");
    expect(await screen.findByText(/not kept on this device/)).toBeTruthy();
    expect(editor.get()).not.toBeNull();
  });
});

describe("a save that takes its time", () => {
  it("tells of its failure when the window is closed, and closes no other one", async () => {
    const user = userEvent.setup();
    let answer: (response: Response) => void = () => {};
    answers["POST /api/projects/p1/features"] = () => new Promise((resolve) => (answer = resolve));
    show();
    open({ mode: "create", projectId: "p1" });
    await user.type(await title(), "Lost?");
    await user.click(screen.getByRole("button", { name: /^Create Ctrl|^Create$|^Create ⌘/ }));
    await user.keyboard("{Escape}");
    await waitFor(() => expect(editor.get()).toBeNull());
    await act(async () => answer(refused(503, "busy")));
    expect(await screen.findAllByText("Lost? is not saved")).not.toHaveLength(0);
    expect(keptDraft("p1").get()?.draft.title).toBe("Lost?");

    open({ mode: "create", projectId: "p1" });
    await waitFor(async () => expect((await title()).value).toBe("Lost?"));
    await user.click(screen.getByRole("button", { name: /^Create Ctrl|^Create$|^Create ⌘/ }));
    await user.keyboard("{Escape}");
    there(feature({ id: "f2", title: "Another" }));
    open({ mode: "edit", featureId: "f2" });
    await act(async () => answer(Response.json(feature({ id: "f1" }), { status: 201 })));
    await waitFor(() => expect(keptDraft("p1").get()).toBeNull());
    expect(editor.get()).toMatchObject({ featureId: "f2" });
  });
});
