import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { StrictMode } from "react";
import { beforeEach, expect, it, vi } from "vitest";
import { ApiError } from "@/api/error";
import type { Published } from "@/api/schema";
import type { ProjectRemote } from "@/api/types";
import { Toaster } from "@/components/ui/toast";
import { feature } from "@/test/samples";
import Publish from "./Publish";

let pushes: { resolve: (published: Published) => void; reject: (error: ApiError) => void }[];
vi.mock("@/features/projects/remote", () => ({
  publish: () => new Promise<Published>((resolve, reject) => pushes.push({ resolve, reject })),
}));
const published = { branch: "guildhall/1-x", commit: "c", pullRequest: "https://git.test/x/compare" };

beforeEach(() => {
  pushes = [];
});

/** The window within a page that shows toasts. Returns how to open and close it from without. */
function show() {
  const client = new QueryClient();
  const onClose = vi.fn();
  const page = (open: boolean) => (
    <StrictMode>
      <QueryClientProvider client={client}>
        {open && (
          <Publish
            feature={feature({ id: "f1", number: 7, title: "Write it" })}
            remote={{ url: "https://git.test/x.git" } as ProjectRemote}
            onClose={onClose}
          />
        )}
        <Toaster />
      </QueryClientProvider>
    </StrictMode>
  );
  const { rerender } = render(page(true));
  return { onClose, put: (open: boolean) => rerender(page(open)) };
}
const push = () => screen.getByRole("button", { name: "Push the branch" });

it("closes while a push is under way, and tells by toast what came of it", async () => {
  const user = userEvent.setup();
  const opened = vi.spyOn(window, "open").mockReturnValue(null);
  const { onClose, put } = show();
  await user.click(push());
  await user.keyboard("{Escape}");
  expect(onClose).toHaveBeenCalledTimes(1);
  await user.click(screen.getAllByRole("button", { name: "Close" }).at(-1) as HTMLElement);
  expect(onClose).toHaveBeenCalledTimes(2);
  put(false);
  await act(async () => pushes[0]?.resolve(published));
  expect(
    (await screen.findAllByText("The work is there, on the branch guildhall/1-x")).length,
  ).toBeGreaterThan(0);
  await user.click(screen.getByRole("button", { name: "Open the pull request" }));
  expect(opened).toHaveBeenCalledWith(published.pullRequest, "_blank", "noopener");
});

it("begins no other while one is under way, and tells why one failed", async () => {
  const user = userEvent.setup();
  const { put } = show();
  await user.click(push());
  put(false);
  put(true);
  await user.click(push());
  expect(pushes.length).toBe(1);
  put(false);
  await act(async () => pushes[0]?.reject(new ApiError({ status: 409, code: "no", detail: "It hangs." })));
  expect((await screen.findAllByText("#7 Write it")).length).toBeGreaterThan(0);
  expect((await screen.findAllByText("It hangs.")).length).toBeGreaterThan(0);
});

it("leads to the pull request itself where it is still there", async () => {
  const user = userEvent.setup();
  show();
  await user.click(push());
  await act(async () => pushes[0]?.resolve(published));
  const link = (await screen.findByText("Open the pull request")).closest("a");
  expect(link?.getAttribute("href")).toBe(published.pullRequest);
  expect(screen.queryByText("#7 Write it")).toBeNull();
});
