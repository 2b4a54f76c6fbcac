import { afterEach, expect, test, vi } from "vitest";
import { ApiError } from "@/api/error";
import * as socket from "@/live/socket";
import { showBy, toast, type Words } from "./toast";

const offline = new ApiError({ status: 0, code: "offline", detail: "The server cannot be reached." });

afterEach(() => vi.restoreAllMocks());

test("while the page says that the server is away, no toast says it too", () => {
  const shown: Words[] = [];
  const stop = showBy((words) => shown.push(words));
  const away = vi.spyOn(socket, "isOffline").mockReturnValue(true);
  toast.error(undefined, offline);
  expect(shown).toEqual([]);
  expect(document.querySelector("[role=status]")?.textContent).toBe(offline.detail);
  away.mockReturnValue(false);
  toast.error(undefined, offline);
  expect(shown).toHaveLength(1);
  stop();
});

test("the id of a request is told where somebody is to look for it, not where a member can help themselves", () => {
  const shown: Words[] = [];
  const stop = showBy((words) => shown.push(words));
  const error = (status: number) =>
    new ApiError({ status, code: "x", detail: "It broke.", requestId: "r-1" });
  toast.error(undefined, error(409));
  toast.error(undefined, error(500));
  expect(shown.map((words) => words.requestId)).toEqual([null, "r-1"]);
  stop();
});
