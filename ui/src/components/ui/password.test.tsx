import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { Field } from "./input";
import { PasswordInput } from "./password";

test("what is typed can be looked at, and hidden again", async () => {
  render(
    <Field label="Password">
      <PasswordInput name="password" autoComplete="new-password" />
    </Field>,
  );
  const field = screen.getByLabelText("Password") as HTMLInputElement;
  await userEvent.type(field, "seven quiet lanterns");
  expect(field.type).toBe("password");
  await userEvent.click(screen.getByRole("button", { name: "Show what is typed" }));
  expect([field.type, field.value]).toEqual(["text", "seven quiet lanterns"]);
  await userEvent.click(screen.getByRole("button", { name: "Hide what is typed" }));
  expect(field.type).toBe("password");
});
