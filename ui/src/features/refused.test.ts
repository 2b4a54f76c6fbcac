import { QueryClient } from "@tanstack/react-query";
import { renderHook } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { api } from "@/api/calls";
import { ApiError } from "@/api/error";
import { keys } from "@/api/keys";
import { toast } from "@/components/ui/toast";
import { card, feature, run } from "@/test/samples";
import { act } from "./actions";
import { useRefused } from "./refused";

const refusal = (code: string) =>
  new ApiError({ status: 409, code, detail: "there is no key", requestId: "r-1" });
const client = () => {
  const made = new QueryClient();
  made.setQueryData(keys.board("p1"), [card({ id: "f1" })]);
  return made;
};
const reason = () => renderHook(() => useRefused("f1")).result.current?.code;

afterEach(() => vi.restoreAllMocks());

test("why the server would not begin stays with the card until it is tried anew, and leads to the keys", async () => {
  const told = vi.spyOn(toast, "error").mockImplementation(() => {});
  const start = vi.spyOn(api, "start").mockRejectedValue(refusal("no-key"));
  await expect(act(client(), "f1", "start")).rejects.toThrow();
  expect(reason()).toBe("no-key");
  expect(told.mock.calls[0]?.[2]?.label).toBe("Add a key");
  start.mockResolvedValue({ feature: feature({ id: "f1", status: "queued" }), run: run({ id: "r" }) });
  await act(client(), "f1", "start");
  expect(reason()).toBeUndefined();
});

test("of a card that moved on meanwhile nothing is kept", async () => {
  vi.spyOn(toast, "error").mockImplementation(() => {});
  vi.spyOn(api, "start").mockRejectedValue(refusal("illegal-move"));
  await expect(act(client(), "f1", "start")).rejects.toThrow();
  expect(reason()).toBeUndefined();
});
