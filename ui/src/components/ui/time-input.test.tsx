import { act, fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { expect, test } from "vitest";
import { Field } from "./input";
import { TimeInput } from "./time-input";

function Form() {
  const [value, setValue] = useState("07:00");
  return (
    <form onSubmit={(event) => event.preventDefault()}>
      <Field label="From">
        <TimeInput value={value} onChange={setValue} />
      </Field>
      <output>{value}</output>
      <button type="submit">Save</button>
    </form>
  );
}

/** The next picture that the browser draws. */
const drawn = () => act(() => new Promise<void>((resolve) => requestAnimationFrame(() => resolve())));

test("a time is typed, stepped and put right in 24 hours, and what is none is said at its field", async () => {
  render(<Form />);
  const field = screen.getByLabelText<HTMLInputElement>("From");
  const kept = () => screen.getByRole("status").textContent;
  fireEvent.change(field, { target: { value: "9:30 pm" } });
  expect(kept(), "not before it is settled").toBe("07:00");
  fireEvent.blur(field);
  expect([field.value, kept()]).toEqual(["21:30", "21:30"]);
  fireEvent.keyDown(field, { key: "ArrowUp" });
  expect([field.value, kept()]).toEqual(["21:45", "21:45"]);
  fireEvent.change(field, { target: { value: "25:00" } });
  fireEvent.blur(field);
  expect([field.value, field.checkValidity(), kept()]).toEqual(["25:00", false, "21:45"]);
  fireEvent.invalid(field);
  expect(screen.getByRole("alert").textContent).toBe("Write a time of the day, such as 07:00 or 22:30.");
  // Until there is one, however it came there.
  fireEvent.keyDown(field, { key: "Tab" });
  await drawn();
  expect(screen.getByRole("alert")).toBeTruthy();
  fireEvent.keyDown(field, { key: "ArrowUp" });
  await drawn();
  expect([field.value, screen.queryByRole("alert")]).toEqual(["22:00", null]);
  fireEvent.change(field, { target: { value: "9 pm" } });
  fireEvent.invalid(field);
  expect(screen.getByRole("alert")).toBeTruthy();
  fireEvent.blur(field);
  await drawn();
  expect([field.value, screen.queryByRole("alert")]).toEqual(["21:00", null]);
});
