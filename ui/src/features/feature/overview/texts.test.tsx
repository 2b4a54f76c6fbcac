import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import type { FeatureText } from "@/api/types";
import { Toaster } from "@/components/ui/toast";
import { draftOf, keptDraft } from "@/features/editor/draft";
import { feature } from "@/test/samples";
import Texts from "./Texts";
import { givenTo } from "./texts";

vi.mock("@/api/queries", async (original) => ({
  ...(await original<typeof import("@/api/queries")>()),
  useMay: () => true,
  useMembers: () => ({ data: [{ id: "m1", name: "Anna" }] }),
}));

const text = (number: number, part: Partial<FeatureText> = {}): FeatureText => ({
  number,
  deed: "edited",
  memberId: "m1",
  byToken: false,
  restored: null,
  at: `2026-03-10T12:0${number}:00Z`,
  title: "Greet",
  ...part,
});

describe("the text that a run was given", () => {
  const texts = [text(3), text(2), text(1, { deed: "created" })];
  it("is the latest when it began", () => {
    const at = (startedAt: string | null, createdAt = "2026-03-10T12:01:30Z") => ({
      startedAt,
      createdAt,
      attempt: 1,
    });
    expect(givenTo(at("2026-03-10T12:02:30Z"), texts)).toBe(2);
    expect(givenTo(at("2026-03-10T12:09:00Z"), texts)).toBe(3);
    expect(givenTo(at(null), texts)).toBe(1);
    expect(givenTo(at(null, "2026-03-09T00:00:00Z"), texts)).toBeUndefined();
  });
  it("is told of a run of several attempts only where all of them had the same", () => {
    const again = { createdAt: "2026-03-10T12:02:10Z", attempt: 2 };
    expect(givenTo({ ...again, startedAt: "2026-03-10T12:02:50Z" }, texts)).toBe(2);
    expect(givenTo({ ...again, startedAt: "2026-03-10T12:03:30Z" }, texts)).toBeUndefined();
    expect(givenTo({ ...again, startedAt: "2026-03-10T12:03:30Z", attempt: 1 }, texts)).toBe(3);
  });
  it("is not guessed where it is not kept any more", () => {
    const run = { startedAt: "2026-03-10T12:02:30Z", createdAt: "", attempt: 1 };
    expect(givenTo(run, [text(9), text(8), text(1)])).toBeUndefined();
    expect(givenTo({ ...run, startedAt: "2026-03-10T12:08:30Z" }, [text(9), text(8), text(1)])).toBe(8);
  });
});

describe("what a card said before", () => {
  const card = feature({ id: "f1", title: "Greet", description: "Say good morning.", version: 7 });
  const texts = [
    text(3, { deed: "restored", restored: 1 }),
    text(2, { byToken: true }),
    text(1, { deed: "created" }),
  ];
  beforeEach(() => {
    vi.spyOn(api, "featureText").mockImplementation(async (_, number) =>
      text(number, { description: number === 3 ? "Say good morning." : `Say hello ${number}.` }),
    );
  });
  afterEach(() => {
    vi.restoreAllMocks();
    keptDraft("feature.f1").set(null);
  });
  const show = () => {
    const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
    client.setQueryData(keys.feature("f1"), card);
    render(
      <QueryClientProvider client={client}>
        <Texts feature={card} texts={texts} open onOpenChange={() => {}} />
        <Toaster />
      </QueryClientProvider>,
    );
    return client;
  };

  it("is compared with what it says now and taken back", async () => {
    const user = userEvent.setup();
    const restore = vi
      .spyOn(api, "restoreFeatureText")
      .mockResolvedValue({ ...card, description: "Say hello 2.", version: 8 });
    const client = show();
    expect(screen.getByText("A tool of Anna changed it")).toBeTruthy();
    expect(screen.getByText("Anna took back Version 1")).toBeTruthy();
    // At first the one before the present.
    const shown = await screen.findByLabelText("From version 2 to what it says now");
    expect(shown.textContent).toContain("Say hello 2.");
    await user.click(screen.getByRole("button", { name: /^Version 3/ }));
    expect(await screen.findByText("It says the same now.")).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Take this text back" })).toBeNull();
    await user.click(screen.getByRole("button", { name: /^Version 2/ }));
    await user.click(screen.getByRole("button", { name: "Take this text back" }));
    await waitFor(() => expect(restore).toHaveBeenCalledWith("f1", 2, 7));
    await waitFor(() =>
      expect(client.getQueryData(keys.feature("f1"))).toMatchObject({ description: "Say hello 2." }),
    );
  });

  it("asks before it is taken back where something is typed and not saved", async () => {
    const user = userEvent.setup();
    const draft = draftOf(card);
    keptDraft("feature.f1").set({ draft: { ...draft, title: "Greet all" }, base: draft, version: 7 });
    const restore = vi.spyOn(api, "restoreFeatureText").mockResolvedValue({ ...card, version: 8 });
    show();
    await user.click(await screen.findByRole("button", { name: "Take this text back" }));
    expect(await screen.findByText(/have not saved it/)).toBeTruthy();
    expect(restore).not.toHaveBeenCalled();
    const [, sure] = screen.getAllByRole("button", { name: "Take this text back", hidden: true });
    await user.click(sure as HTMLElement);
    await waitFor(() => expect(restore).toHaveBeenCalledOnce());
  });

  it("is erased for good once that is confirmed", async () => {
    const user = userEvent.setup();
    const erase = vi.spyOn(api, "eraseFeatureText").mockResolvedValue(undefined);
    const client = show();
    client.setQueryData(keys.featureTexts("f1"), texts);
    await user.click(screen.getByRole("button", { name: /^Version 3/ }));
    expect(screen.queryByRole("button", { name: "Erase this text" })).toBeNull();
    await user.click(screen.getByRole("button", { name: /^Version 1/ }));
    await user.click(screen.getByRole("button", { name: "Erase this text" }));
    expect(await screen.findByText(/Nobody can read it/)).toBeTruthy();
    expect(erase).not.toHaveBeenCalled();
    const [, sure] = screen.getAllByRole("button", { name: "Erase this text", hidden: true });
    await user.click(sure as HTMLElement);
    await waitFor(() => expect(erase).toHaveBeenCalledWith("f1", 1));
    await waitFor(() =>
      expect(client.getQueryData<FeatureText[]>(keys.featureTexts("f1"))?.map((one) => one.number)).toEqual([
        3, 2,
      ]),
    );
  });
});
