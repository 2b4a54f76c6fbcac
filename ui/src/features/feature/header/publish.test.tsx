import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import type { ProjectRemote } from "@/api/types";
import { feature } from "@/test/samples";
import Publish from "./Publish";

vi.mock("@/features/projects/remote", () => ({ publish: () => new Promise(() => {}) }));

it("stays open while a push is under way", async () => {
  const user = userEvent.setup();
  const onClose = vi.fn();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <Publish
        feature={feature({ id: "f1" })}
        remote={{ url: "https://git.test/x.git" } as ProjectRemote}
        onClose={onClose}
      />
    </QueryClientProvider>,
  );
  await user.click(screen.getByRole("button", { name: "Push the branch" }));
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Cancel" }).disabled).toBe(true);
  await user.keyboard("{Escape}");
  expect(onClose).not.toHaveBeenCalled();
});
