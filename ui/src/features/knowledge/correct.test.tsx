import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { keys } from "@/api/keys";
import { Correct } from "./correct";
import { correctLearning } from "./deeds";
import type { Learning } from "./types";

vi.mock("./deeds", async (original) => ({ ...(await original()), correctLearning: vi.fn(async () => {}) }));
vi.mock("./related-field", () => ({ RelatedField: () => null }));
vi.mock("./content-field", () => ({ ContentField: () => null }));

const learning = {
  kind: "learning",
  id: "l1",
  version: 3,
  title: "Ports",
  description: "",
  content: "They are taken.",
  tags: [],
  related: [],
  type: "custom",
  confidence: "medium",
  context: { languages: [], frameworks: [], filePatterns: [] },
} as unknown as Learning;

function show() {
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  client.setQueryData(keys.members, []);
  const done = vi.fn();
  const { unmount } = render(
    <QueryClientProvider client={client}>
      <Correct item={learning} onCancel={() => {}} onDone={done} />
    </QueryClientProvider>,
  );
  return { unmount, done, title: screen.getByLabelText<HTMLInputElement>(/^Title/) };
}

test("a correction that is left is gone on with, until it is saved", async () => {
  const user = userEvent.setup();
  const first = show();
  await user.type(first.title, " and hosts");
  // Led on at once, by a key or a button of the queue.
  first.unmount();
  const again = show();
  expect(again.title.value).toBe("Ports and hosts");
  expect(screen.getByText("You go on with a draft that you left here.")).toBeTruthy();
  await user.click(screen.getByRole("button", { name: /^Save and verify/ }));
  expect(vi.mocked(correctLearning)).toHaveBeenCalledWith(
    "l1",
    3,
    expect.objectContaining({ title: "Ports and hosts" }),
  );
  expect(again.done).toHaveBeenCalled();
  again.unmount();
  expect(show().title.value).toBe("Ports");
});
