import { act, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { describe, expect, it, vi } from "vitest";
import { Dialog } from "@/components/ui/dialog";
import { Input } from "@/components/ui/input";
import { askToLeave, leaving, useAnyUnsaved, useUnsaved } from "./unsaved";

function Form() {
  const [text, setText] = useState("");
  useUnsaved(text !== "");
  return (
    <Input aria-label="Prompt" autoFocus value={text} onChange={(event) => setText(event.target.value)} />
  );
}

function Any() {
  return <p>{useAnyUnsaved() ? "unsaved" : "saved"}</p>;
}

describe("what is typed and not saved", () => {
  it("is asked about before its window closes", async () => {
    const user = userEvent.setup();
    const close = vi.fn();
    render(
      <Dialog open onOpenChange={close} title="New agent">
        <Form />
      </Dialog>,
    );
    await user.type(screen.getByLabelText("Prompt"), "You review.");
    await user.keyboard("{Escape}");
    expect(close).not.toHaveBeenCalled();
    await user.click(await screen.findByRole("button", { name: "Keep editing" }));
    await waitFor(() => expect(screen.queryByRole("alertdialog")).toBeNull());
    expect(screen.getByLabelText<HTMLInputElement>("Prompt").value).toBe("You review.");

    await user.keyboard("{Escape}");
    await user.click(await screen.findByRole("button", { name: "Discard" }));
    await waitFor(() => expect(close).toHaveBeenCalledWith(false));
  });

  it("is not asked about where nothing was typed", async () => {
    const user = userEvent.setup();
    const close = vi.fn();
    render(
      <Dialog open onOpenChange={close} title="New agent">
        <Form />
      </Dialog>,
    );
    await user.keyboard("{Escape}");
    expect(close).toHaveBeenCalledWith(false);
  });

  it("is known to the page until it is saved or gone", async () => {
    const user = userEvent.setup();
    const shown = render(
      <>
        <Form />
        <Any />
      </>,
    );
    expect(screen.getByText("saved")).toBeTruthy();
    await user.type(screen.getByLabelText("Prompt"), "x");
    expect(screen.getByText("unsaved")).toBeTruthy();
    await user.clear(screen.getByLabelText("Prompt"));
    expect(screen.getByText("saved")).toBeTruthy();
    await user.type(screen.getByLabelText("Prompt"), "x");
    shown.rerender(<Any />);
    expect(screen.getByText("saved")).toBeTruthy();
  });

  it("is asked about once at a time: a later question answers the former one with no", async () => {
    const first = askToLeave();
    const second = askToLeave();
    expect(await first).toBe(false);
    act(() => leaving.get()?.answer(true));
    expect(await second).toBe(true);
    expect(leaving.get()).toBeNull();
  });
});
