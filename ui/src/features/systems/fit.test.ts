import { expect, test } from "vitest";
import { choicesOf, readValue, turn, writeValue } from "./fit";

test("a field of another kind keeps what fits it", () => {
  const text = {
    type: "string",
    title: "Depth",
    description: "How deep to look.",
    default: "some",
    enum: ["some", "all"],
    minLength: 2,
    format: "multiline",
  } as const;
  const named = { title: "Depth", description: "How deep to look." };
  expect(turn({ ...text, enum: [...text.enum] }, "integer")).toEqual({ type: "integer", ...named });
  const number = { type: "number", ...named, default: 3, enum: [3, 4.5], minimum: 1, maximum: 9 } as const;
  expect(turn({ ...number, enum: [...number.enum] }, "integer")).toEqual({
    type: "integer",
    ...named,
    default: 3,
    minimum: 1,
    maximum: 9,
  });
  expect(turn({ ...number, enum: [...number.enum] }, "boolean")).toEqual({ type: "boolean", ...named });
});

test("choices are values of their field's kind", () => {
  expect(choicesOf("one\n\n two \none", "string")).toEqual(["one", "two"]);
  expect(choicesOf("1,5\n2\nx", "number")).toEqual([1.5, 2]);
  expect(choicesOf("1.5\n2", "integer")).toEqual([2]);
  expect(choicesOf(" \n", "string")).toBeUndefined();
});

test("a variable's value is read as it is written", () => {
  for (const value of ["words", "3", "true", "", 3, true, ["a"], { a: 1 }, null])
    expect(readValue(writeValue(value))).toEqual(value);
  expect(writeValue("words")).toBe("words");
  expect(writeValue("")).toBe("");
  expect(writeValue("3")).toBe('"3"');
});
