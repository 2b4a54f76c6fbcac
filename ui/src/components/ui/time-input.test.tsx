import { fireEvent, render, screen } from "@testing-library/react";
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

test("a time is typed, stepped and put right in 24 hours, and what is none is said at its field", () => {
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
  expect(screen.getByRole("alert").textContent).toBe("Write a time of the day, such as 07:00 or 22:30");
});
