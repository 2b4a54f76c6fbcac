import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { keys } from "@/api/keys";
import type { MonthStanding } from "@/api/types";
import { run } from "@/test/samples";
import { isOwn } from "./own";
import ParkedNotice from "./parked";

vi.mock("@tanstack/react-router", () => ({
  Link: ({ to, hash, children }: { to: string; hash: string; children?: React.ReactNode }) => (
    <a href={`${to}#${hash}`}>{children}</a>
  ),
}));

function month(part: Partial<MonthStanding>): MonthStanding {
  return {
    memberId: "m1",
    capMicros: 5_000_000,
    givenMicros: null,
    ownMicros: null,
    spentMicros: 5_000_000,
    reservedMicros: 0,
    resetsAt: "2026-04-01T00:00:00Z",
    ...part,
  };
}

function show(me: { id: string; rights: string[] }, standing: MonthStanding) {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  client.setQueryData(keys.me, me);
  client.setQueryData(keys.budgets, { monthMicros: 5_000_000, runMicros: 1, items: [standing] });
  const parked = run({
    id: "r1",
    memberId: "m1",
    status: "queued",
    parkedFor: "month",
    parkedReason: "No more.",
  });
  render(
    <QueryClientProvider client={client}>
      <ParkedNotice run={parked} />
    </QueryClientProvider>,
  );
  return screen.getByRole("region", { name: "Waits for a budget" });
}

test("whose budget holds is said by what is given and what is set", () => {
  expect(isOwn(month({ ownMicros: 4_000_000 }), 5_000_000)).toBe(true);
  expect(isOwn(month({ ownMicros: 5_000_000 }), 5_000_000)).toBe(false);
  expect(isOwn(month({ ownMicros: 6_000_000, givenMicros: 9_000_000 }), 5_000_000)).toBe(true);
  expect(isOwn(month({ ownMicros: 1 }), null)).toBe(true);
  expect(isOwn(month({}), null)).toBe(false);
});

test("a member is sent where something can be done, and else told who can do it", () => {
  const given = show({ id: "m1", rights: ["run"] }, month({}));
  expect(given.textContent).toContain("An admin can raise it.");
  expect([screen.queryByRole("link"), screen.queryByRole("button")]).toEqual([null, null]);
});

test("a member whose own budget it is raises that", () => {
  show({ id: "m1", rights: ["run"] }, month({ capMicros: 1_000_000, ownMicros: 1_000_000 }));
  expect(screen.getByRole("link", { name: "Raise your own budget" }).getAttribute("href")).toBe(
    "/usage#budgets",
  );
});

test("an admin raises what was given, and not what its member set", () => {
  show({ id: "boss", rights: ["run", "administer"] }, month({}));
  expect(screen.getByRole("button", { name: "Raise the month's budget" })).toBeTruthy();
});

test("an admin is told of a lower budget of the member", () => {
  const own = show({ id: "boss", rights: ["run", "administer"] }, month({ ownMicros: 1_000_000 }));
  expect(own.textContent).toContain("Its member set a lower one");
  expect(screen.queryByRole("button")).toBeNull();
});

test("what waits for other cards or the server says so, and nobody is asked for money", () => {
  for (const [parkedFor, title] of [
    ["dependencies", "It cannot begin yet."],
    ["server", "The server has trouble."],
  ] as const) {
    const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
    client.setQueryData(keys.me, { id: "m1", rights: ["run"] });
    const parkedUntil = "2026-03-01T10:10:00Z";
    const { unmount } = render(
      <QueryClientProvider client={client}>
        <ParkedNotice
          run={run({ id: "r1", memberId: "m1", parkedFor, parkedUntil, parkedReason: "So it is." })}
        />
      </QueryClientProvider>,
    );
    const text = screen.getByRole("region", { name: "Is put off" }).textContent;
    expect(text).toContain(`${title} So it is. It is tried again at `);
    expect(screen.queryByRole("button")).toBeNull();
    unmount();
  }
});
