import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keys } from "@/api/keys";
import { Toaster } from "@/components/ui/toast";
import { TooltipProvider } from "@/components/ui/tooltip";
import { dropFiles, useFiles } from "@/features/chat/files";
import { useSending } from "@/features/chat/queries";
import { feature, run } from "@/test/samples";
import { kept } from "./lib/kept";
import { MergeDialog } from "./merge/MergeDialog";
import { useSay } from "./useSay";

const card = feature({ id: "f1", title: "Greet", number: 4, status: "waiting_approval" });
let client: QueryClient;
/** Requests that are not answered yet, and how to. */
let waiting: { path: string; answer: (response: Response) => void }[];

beforeEach(() => {
  waiting = [];
  client = new QueryClient({ defaultOptions: { queries: { enabled: false } } });
  vi.stubGlobal(
    "fetch",
    (input: Request) =>
      new Promise<Response>((answer) => waiting.push({ path: new URL(input.url).pathname, answer })),
  );
});
afterEach(() => vi.unstubAllGlobals());

const show = (part: React.ReactNode) =>
  render(
    <QueryClientProvider client={client}>
      <TooltipProvider>
        {part}
        <Toaster />
      </TooltipProvider>
    </QueryClientProvider>,
  );
const answer = (body: object, status = 200) =>
  act(async () => {
    await waitFor(() => expect(waiting).toHaveLength(1));
    waiting.pop()?.answer(Response.json(body, { status }));
  });

function Say() {
  const say = useSay(card, () => {});
  return (
    <button type="button" disabled={say.busy} onClick={say.go}>
      Send {say.message === "" ? "nothing" : "it"}
    </button>
  );
}

describe("what is said to an agent", () => {
  const comment = { id: "c1", path: "a.ts", side: "new", line: 1, quote: "let x;", text: "Why?" } as const;

  it("waits no more once it is sent, also when nobody looks any more", async () => {
    kept.draft("f1").set("Go on.");
    kept.comments("f1").set([comment]);
    const shown = show(<Say />);
    await userEvent.click(screen.getByRole("button", { name: "Send it" }));
    shown.unmount();
    // What was sent cannot be sent again meanwhile.
    show(<Say />);
    expect(screen.getByRole<HTMLButtonElement>("button", { name: "Send it" }).disabled).toBe(true);
    kept.comments("f1").set((all) => [...all, { ...comment, id: "c2" }]);
    await answer({ feature: card, run: run({ id: "r1" }) });
    await waitFor(() => expect(kept.draft("f1").get()).toBe(""));
    expect(kept.comments("f1").get()).toMatchObject([{ id: "c2" }]);
  });

  it("stays when it was refused", async () => {
    kept.draft("f1").set("Go on.");
    const shown = show(<Say />);
    await userEvent.click(screen.getByRole("button", { name: "Send it" }));
    shown.unmount();
    await answer({ status: 409, code: "illegal-move", detail: "No." }, 409);
    expect(kept.draft("f1").get()).toBe("Go on.");
  });
});

describe("a message of a chat", () => {
  const file = new File(["a"], "a.txt");
  function Message({ send }: { send: () => Promise<never> }) {
    const files = useFiles("c1");
    const { mutate, busy } = useSending("c1", send, (from, change) => kept.draft(from).set(change));
    return (
      <>
        <button type="button" onClick={() => files.add([file])}>
          Attach
        </button>
        <button
          type="button"
          disabled={busy}
          onClick={() => mutate({ from: "c1", text: "Look.", files: files.files })}
        >
          Send {files.files.length}
        </button>
      </>
    );
  }

  it("keeps its files while somebody looks at another chat, and lets go of all once it is sent", async () => {
    kept.draft("c1").set("Look.");
    let sent: (moved: never) => void = () => {};
    const part = <Message send={() => new Promise((resolve) => (sent = resolve))} />;
    show(part).unmount();
    const shown = show(part);
    await userEvent.click(screen.getByRole("button", { name: "Attach" }));
    shown.unmount();
    const again = show(part);
    await userEvent.click(screen.getByRole("button", { name: "Send 1" }));
    again.unmount();
    const chat = feature({ id: "c1", kind: "chat" });
    await act(async () => sent({ feature: chat, run: run({ id: "r1" }) } as never));
    show(part);
    expect(screen.getByRole("button", { name: "Send 0" })).toBeTruthy();
    expect(kept.draft("c1").get()).toBe("");
    dropFiles("c1", [file]);
  });
});

describe("a merge that fails", () => {
  it("says so where its window is closed", async () => {
    const dialog = (open: boolean) => (
      <MergeDialog feature={card} run={undefined} open={open} onOpenChange={() => {}} onAsk={() => {}} />
    );
    client.setQueryData(keys.project("p1"), { id: "p1", defaultBranch: "main", settings: {} });
    const shown = show(dialog(true));
    await userEvent.click(await screen.findByRole("button", { name: /Merge into main|Merge/ }));
    shown.unmount();
    show(null);
    await answer({ status: 409, code: "merge-conflict", detail: "Both changed a.ts." }, 409);
    expect(await screen.findAllByText("#4 Greet")).not.toHaveLength(0);
    expect(screen.getAllByText("Both changed a.ts.")).not.toHaveLength(0);
  });
});
