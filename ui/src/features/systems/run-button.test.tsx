import { fireEvent, render, screen } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { RunButton } from "./run-button";

it("keeps the focus and its place while it comes to be able to run", () => {
  const onRun = vi.fn();
  const button = (not: string | null) => <RunButton dirty={false} busy={false} not={not} onRun={onRun} />;
  const { rerender } = render(button("Mend it first."));
  const run = screen.getByRole("button", { name: "Run" });
  run.focus();
  fireEvent.click(run);
  expect([run.getAttribute("aria-disabled"), onRun.mock.calls.length]).toEqual(["true", 0]);
  rerender(button(null));
  expect(document.activeElement).toBe(run);
  expect(screen.getByRole("button", { name: "Run" })).toBe(run);
  fireEvent.click(run);
  expect([run.hasAttribute("aria-disabled"), onRun.mock.calls.length]).toEqual([false, 1]);
});
