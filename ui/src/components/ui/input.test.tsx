import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";
import { Field, Input } from "./input";

describe("a field that must be filled in", () => {
  it("says so at its place, not in a bubble, until something is typed", async () => {
    const user = userEvent.setup();
    const submit = vi.fn((event: { preventDefault: () => void }) => event.preventDefault());
    render(
      <form onSubmit={submit}>
        <Field label="Name">
          <Input required />
        </Field>
        <Field label="Command">
          <Input required />
        </Field>
        <button type="submit">Save</button>
      </form>,
    );
    const [name, command] = [screen.getByLabelText("Name"), screen.getByLabelText("Command")];
    const bubble = new Event("invalid", { cancelable: true });
    name.dispatchEvent(bubble);
    command.dispatchEvent(new Event("invalid", { cancelable: true }));
    expect(bubble.defaultPrevented).toBe(true);
    expect((await screen.findAllByRole("alert")).map((one) => one.textContent)).toEqual([
      "Fill this in.",
      "Fill this in.",
    ]);
    await user.type(name, "Shop");
    expect(screen.getAllByRole("alert")).toHaveLength(1);
  });
});
