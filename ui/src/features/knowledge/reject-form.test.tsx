import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { RejectForm } from "./reject-form";
import type { Learning } from "./types";

it("holds what is typed of each learning while somebody looks at another", async () => {
  const form = (id: string) => (
    <QueryClientProvider client={new QueryClient()}>
      <RejectForm key={id} item={{ id } as Learning} onCancel={() => {}} onDone={() => {}} />
    </QueryClientProvider>
  );
  const reason = () => screen.getByRole<HTMLTextAreaElement>("textbox");
  const shown = render(form("l1"));
  await userEvent.type(reason(), "Not any more.");
  shown.rerender(form("l2"));
  expect(reason().value).toBe("");
  shown.rerender(form("l1"));
  expect(reason().value).toBe("Not any more.");
});
