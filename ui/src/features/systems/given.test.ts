// @vitest-environment node
import { expect, it } from "vitest";
import type { InputSchema } from "@/api/types";
import { beginning } from "./given";

it("a form begins with what was given before, as far as it is still asked for", () => {
  const schema: InputSchema = {
    properties: {
      question: { type: "string" },
      depth: { type: "integer", default: 2 },
      tone: { type: "string", enum: ["short", "long"], default: "short" },
      places: { type: "array" },
      sure: { type: "boolean" },
      share: { type: "number" },
    },
  };
  const given = { question: "Why?", depth: 3, places: ["here"], sure: false, share: 0.5 };
  expect(beginning(schema, { ...given, tone: "long", former: "gone" })).toEqual({ ...given, tone: "long" });
  // What no longer fits is as if nobody had given it.
  expect(beginning(schema, { question: 7, depth: 1.5, tone: "round", places: "here" })).toEqual({
    depth: 2,
    tone: "short",
  });
  expect(beginning(schema)).toEqual({ depth: 2, tone: "short" });
});
