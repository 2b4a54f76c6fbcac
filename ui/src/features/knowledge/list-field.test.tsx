import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState } from "react";
import { expect, test, vi } from "vitest";
import { ListField, patternsOf } from "./list-field";

const saved = vi.fn();

function Form({ patterns = false }: { patterns?: boolean }) {
  const [value, setValue] = useState<string[]>([]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: as the forms do
    <div onKeyDown={(event) => event.key === "Enter" && event.ctrlKey && saved(value)}>
      <ListField
        label="Words"
        value={value}
        onChange={setValue}
        {...(patterns ? { parts: patternsOf } : {})}
      />
    </div>
  );
}

test("the word that is being typed is saved with the others", async () => {
  const user = userEvent.setup();
  render(<Form />);
  await user.type(screen.getByLabelText(/Words/), "one,two");
  await user.keyboard("{Control>}{Enter}{/Control}");
  expect(saved.mock.calls).toEqual([[["one", "two"]]]);
  await user.keyboard("{Control>}{Enter}{/Control}");
  expect(saved).toHaveBeenCalledTimes(2);
});

test("a comma within braces belongs to a pattern", async () => {
  const user = userEvent.setup();
  render(<Form patterns />);
  const field = screen.getByLabelText<HTMLInputElement>(/Words/);
  await user.type(field, "src/{{a,{{b,c}}/*.ts,");
  expect(field.value).toBe("");
  expect(screen.getByText("src/{a,{b,c}}/*.ts")).toBeTruthy();
  await user.paste("x.{js,ts}, y.rs");
  await user.tab();
  expect(screen.getByText("x.{js,ts}")).toBeTruthy();
  expect(screen.getByText("y.rs")).toBeTruthy();
});
