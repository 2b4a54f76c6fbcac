import { expect, test } from "vitest";
import { remote } from "./strings";

test("how both stand is told in a line", () => {
  const of = (ahead: number | null, behind: number | null) => remote.stands({ ahead, behind });
  expect(of(null, null)).toBe("How they stand is not known");
  expect(of(0, 0)).toBe("Both are the same");
  expect(of(1, 0)).toBe("1 commit only here");
  expect(of(1_200, 2)).toBe("1,200 commits only here, 2 commits only there");
});
