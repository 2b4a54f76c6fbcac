import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { keys } from "@/api/keys";
import { MorningReport } from "./morning";

const sent = vi.hoisted(() => vi.fn());
vi.mock("@/api/client", async (original) => ({
  ...(await original<typeof import("@/api/client")>()),
  client: {
    PUT: async (_: string, { body }: { body: object }) => {
      sent(body);
      return { data: { ...body, mailIsOn: false } };
    },
  },
}));

it("keeps a time that was typed in another way when Save is the next that is pressed", async () => {
  const user = userEvent.setup();
  const client = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  client.setQueryData(keys.reportSettings, { morning: "07:00", mail: false, mailIsOn: false });
  render(
    <QueryClientProvider client={client}>
      <MorningReport />
    </QueryClientProvider>,
  );
  const field = screen.getByLabelText<HTMLInputElement>("In the morning at");
  await user.clear(field);
  await user.type(field, "6 am");
  const save = screen.getByRole<HTMLButtonElement>("button", { name: "Save" });
  // A browser gives no click to what is out of reach when it is pressed down on.
  expect(save.disabled).toBe(false);
  await user.click(save);
  expect(field.value).toBe("06:00");
  expect(sent.mock.calls).toEqual([[{ morning: "06:00", mail: false }]]);
});
