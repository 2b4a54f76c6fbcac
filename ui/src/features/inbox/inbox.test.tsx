import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import type { FeatureCard } from "@/api/types";
import { useWaiting } from "@/features/attention";
import { card, feature, run } from "@/test/samples";
import { Inbox } from "./inbox";

vi.mock("@tanstack/react-router", () => ({
  Link: ({
    to,
    hash,
    search,
    params,
    children,
    ...rest
  }: Record<string, unknown> & { children: ReactNode }) => (
    <a {...rest} href={`${to}${hash ? `#${hash}` : ""}`}>
      {children}
    </a>
  ),
  useNavigate: () => () => {},
}));

const ME = "m1";
const OTHER = "m2";
const person = (id: string, name: string) => ({ id, name, avatar: null, createdAt: "2020-01-01T00:00:00Z" });
const waiting = (id: string, part: Partial<FeatureCard> = {}) =>
  card({ id, status: "waiting_approval", filesChanged: 1, linesAdded: 1, ...part });

let client: QueryClient;

function Badge() {
  return <output aria-label="badge">{useWaiting()}</output>;
}

function show(
  cards: FeatureCard[] | null,
  more: { rights?: string[]; joined?: string; keyed?: boolean } = {},
) {
  client = new QueryClient({
    defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY, retry: false } },
  });
  const rights = more.rights ?? ["read", "build", "run", "keys"];
  const me = { ...person(ME, "Nadja Neu"), rights, ...(more.joined ? { createdAt: more.joined } : {}) };
  client.setQueryData(keys.me, me);
  client.setQueryData(keys.members, [me, person(OTHER, "Ada Lovelace")]);
  client.setQueryData(keys.projects, [{ id: "p1", name: "Work bench", status: "ready", counts: {} }]);
  if (cards !== null) client.setQueryData(keys.active("p1"), cards);
  client.setQueryData(keys.latestReport, null);
  client.setQueryData(keys.unread, 0);
  client.setQueryData(keys.models, {
    default: null,
    items: [{ id: "a", usable: more.keyed ?? true, simulated: false }],
  });
  render(
    <QueryClientProvider client={client}>
      <Badge />
      <Inbox />
    </QueryClientProvider>,
  );
}

const titles = () => screen.queryAllByRole("heading", { level: 3 }).map((heading) => heading.textContent);

beforeEach(() => localStorage.clear());
afterEach(async () => {
  vi.restoreAllMocks();
  const choice = screen.queryByRole("radio", { name: /^Mine/ });
  if (choice) await userEvent.click(choice);
});

test("a member sees and counts what is theirs, and everybody's when asked", async () => {
  show([
    waiting("a", { title: "Of another", createdBy: OTHER }),
    waiting("b", { title: "Written by me" }),
    waiting("c", { title: "Let work by me", createdBy: OTHER, startedBy: ME }),
    card({ id: "d", title: "Failed of another", status: "failed", createdBy: OTHER }),
  ]);
  expect(titles()).toEqual(["Written by me", "Let work by me"]);
  expect(screen.getByLabelText("badge").textContent).toBe("2");
  expect(screen.getByText("2 waiting for you.")).toBeTruthy();
  await userEvent.click(screen.getByRole("radio", { name: /^Everybody/ }));
  expect(titles()).toEqual(["Of another", "Written by me", "Let work by me", "Failed of another"]);
  expect(screen.getByText("3 waiting for approval, 1 failed.")).toBeTruthy();
  expect(screen.getByRole("heading", { name: "Waiting for approval" })).toBeTruthy();
  const row = screen.getByRole("heading", { name: "Of another" }).closest("li") as HTMLElement;
  expect(within(row).getByText("Ada Lovelace")).toBeTruthy();
});

test("where nothing is theirs it says so, and leads to the others'", async () => {
  show([waiting("a", { title: "Of another", createdBy: OTHER })]);
  expect(screen.getByRole("heading", { name: "Nothing needs you" })).toBeTruthy();
  expect(screen.getByLabelText("badge").textContent).toBe("0");
  await userEvent.click(screen.getByRole("button", { name: "Look at 1 card of others" }));
  expect(titles()).toEqual(["Of another"]);
});

test("who only looks sees everybody's, and nothing waits for them", () => {
  show([waiting("a", { createdBy: OTHER })], { rights: ["read"] });
  expect(titles()).toEqual(["Card a"]);
  expect(screen.queryByRole("radio")).toBeNull();
  expect(screen.queryByRole("button", { name: /Verify/ })).toBeNull();
});

test("each button says of which card it is, and the focus goes on to the next row", async () => {
  show([waiting("a", { number: 6, title: "Guest list" }), waiting("b", { number: 7, title: "Log out" })]);
  vi.spyOn(api, "verify").mockResolvedValue({
    feature: feature({ id: "a", status: "queued" }),
    run: run({ id: "r" }),
  });
  await userEvent.click(screen.getByRole("button", { name: "Verify #6 Guest list" }));
  expect(titles()).toEqual(["Log out"]);
  expect(document.activeElement?.textContent).toBe("Log out");
});

test("work that changed nothing is to be looked at, not verified unseen", () => {
  show([waiting("a", { number: 4, filesChanged: 0, linesAdded: 0 })]);
  expect(screen.getByText("Changed nothing")).toBeTruthy();
  expect(screen.queryByRole("button", { name: /Verify/ })).toBeNull();
  expect(screen.getByRole("button", { name: "Look at #4 Card a" })).toBeTruthy();
});

test("what could not be fetched is not taken for nothing", async () => {
  const fetched = vi.spyOn(api, "features").mockRejectedValue(new TypeError("Failed to fetch"));
  show([]);
  expect(screen.getByRole("heading", { name: "Nothing needs you" })).toBeTruthy();
  cleanup();
  show(null);
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("The server cannot be reached.");
  expect(screen.queryByText("Nothing needs you")).toBeNull();
  expect(screen.queryByText("All quiet.")).toBeNull();
  fetched.mockResolvedValue([waiting("a")]);
  vi.spyOn(api, "projects").mockResolvedValue(client.getQueryData(keys.projects) ?? []);
  await userEvent.click(within(alert).getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(titles()).toEqual(["Card a"]));
  expect(screen.queryByRole("alert")).toBeNull();
});

test("a new member is told how to begin, until they have begun", async () => {
  show([], { joined: new Date().toISOString(), keyed: false });
  const steps = within(await screen.findByRole("region", { name: "Welcome, Nadja" }));
  expect(steps.getByRole("link", { name: "Add a key" }).getAttribute("href")).toBe("/settings#keys");
  expect(steps.getByRole("link", { name: "Open Work bench" })).toBeTruthy();
});

test("who has a key and cards of their own is not welcomed any more", async () => {
  show([waiting("b")], { joined: new Date().toISOString() });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(screen.queryByRole("region", { name: /Welcome/ })).toBeNull();
});

test("a member of long standing without a key is told what that means", async () => {
  show([waiting("b")], { keyed: false });
  expect((await screen.findByRole("link", { name: "Add a key" })).getAttribute("href")).toBe(
    "/settings#keys",
  );
  expect(screen.queryByRole("region", { name: /Welcome/ })).toBeNull();
});
