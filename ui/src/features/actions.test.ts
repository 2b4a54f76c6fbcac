import { QueryClient } from "@tanstack/react-query";
import { afterEach, expect, test, vi } from "vitest";
import { api } from "@/api/calls";
import { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { FeatureCard } from "@/api/types";
import { toast } from "@/components/ui/toast";
import { putFeature } from "@/live/apply";
import { card, feature } from "@/test/samples";
import { act } from "./actions";

type Answer = Awaited<ReturnType<typeof api.start>>;

function setUp() {
  vi.spyOn(toast, "error").mockImplementation(() => {});
  const client = new QueryClient();
  client.setQueryData(keys.board("p1"), [card({ id: "f1" })]);
  const held = () => client.getQueryData<FeatureCard[]>(keys.board("p1"))?.[0];
  const refuse: Record<"start" | "stop", () => void> = { start: () => {}, stop: () => {} };
  for (const action of ["start", "stop"] as const)
    vi.spyOn(api, action).mockReturnValue(
      new Promise<Answer>((_, reject) => {
        refuse[action] = () => reject(new ApiError({ status: 0, code: "offline", detail: "" }));
      }),
    );
  return { client, held, refuse };
}

afterEach(() => vi.restoreAllMocks());

test.each([
  ["start", "stop"],
  ["stop", "start"],
] as const)(
  "when a start and a stop both fail, %s first, the card stands where it stood",
  async (one, other) => {
    const { client, held, refuse } = setUp();
    const done = [act(client, "f1", "start"), act(client, "f1", "stop")].map((deed) => deed.catch(() => {}));
    expect(held()?.status).toBe("paused");
    refuse[one]();
    await new Promise((resolve) => setTimeout(resolve));
    refuse[other]();
    await Promise.all(done);
    expect(held()?.status).toBe("backlog");
  },
);

test("what the socket brings meanwhile is what is put back", async () => {
  const { client, held, refuse } = setUp();
  const start = act(client, "f1", "start").catch(() => {});
  putFeature(client, feature({ id: "f1", version: 2, status: "failed" }));
  const stop = act(client, "f1", "stop").catch(() => {});
  expect(held()?.status).toBe("paused");
  refuse.start();
  refuse.stop();
  await Promise.all([start, stop]);
  expect(held()).toMatchObject({ status: "failed", version: 2 });
});
