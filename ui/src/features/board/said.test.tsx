import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { card } from "@/test/samples";
import { useSaid } from "./said";

let asked: { q: string | null; signal: AbortSignal; answer: (ids: string[]) => void }[];

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  vi.stubGlobal(
    "fetch",
    (request: Request) =>
      new Promise((resolve) => {
        const q = new URL(request.url).searchParams.get("q");
        const answer = (ids: string[]) =>
          resolve(Response.json({ items: ids.map((id) => card({ id })), next: null }));
        asked.push({ q, signal: request.signal, answer });
      }),
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const show = () => {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={client}>{children}</QueryClientProvider>
  );
  return renderHook(({ text }: { text: string }) => useSaid("p1", text), {
    wrapper,
    initialProps: { text: "" },
  });
};
const wait = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

test("what is typed is asked for once it has settled, and broken off when typing goes on", async () => {
  const { result, rerender } = show();
  rerender({ text: "to" });
  await wait(1_000);
  expect(asked).toEqual([]);
  expect(result.current.asking).toBe(false);
  for (const text of ["tok", "toke", "token"]) {
    rerender({ text });
    await wait(100);
  }
  expect(asked).toEqual([]);
  expect(result.current.asking).toBe(true);
  await wait(300);
  expect(asked.map(({ q }) => q)).toEqual(["token"]);
  rerender({ text: "tokens" });
  await wait(300);
  expect(asked.map(({ q }) => q)).toEqual(["token", "tokens"]);
  expect(asked[0]?.signal.aborted).toBe(true);
  asked[1]?.answer(["a"]);
  await wait(10);
  expect([...result.current.found]).toEqual(["a"]);
  expect(result.current).toMatchObject({ asking: false, more: false });
  // What was found for a beginning is shown on, but for no other words.
  rerender({ text: "tokens of" });
  expect([...result.current.found]).toEqual(["a"]);
  rerender({ text: "something" });
  expect([...result.current.found]).toEqual([]);
});

test("tells when there may be more than were asked for", async () => {
  const { result, rerender } = show();
  rerender({ text: "token" });
  await wait(300);
  asked[0]?.answer(Array.from({ length: 200 }, (_, n) => `c${n}`));
  await wait(10);
  expect(result.current.more).toBe(true);
});
