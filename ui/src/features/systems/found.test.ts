import { expect, it } from "vitest";
import type { SystemListItem } from "@/api/types";
import { categoriesOf, found } from "./found";

const system = (name: string, category: string | null, description = "", tags: string[] = []) =>
  ({ id: name, name, description, category, tags }) as SystemListItem;
const all = [
  system("Code review", "quality", "Looks at a change."),
  system("Research", "planning", "Finds out about a question.", ["web"]),
  system("Mine", null),
  system("Empty", ""),
];
const names = (list: SystemListItem[]) => list.map(({ name }) => name).join();

it("finds systems by what they are called, by what they do, and by their labels", () => {
  expect(names(found(all, "", ""))).toBe("Code review,Research,Mine,Empty");
  expect(names(found(all, "change look", ""))).toBe("Code review");
  expect(names(found(all, "WEB", ""))).toBe("Research");
  expect(names(found(all, "quality", ""))).toBe("Code review");
  expect(names(found(all, "web", "quality"))).toBe("");
  expect(names(found(all, "", "planning"))).toBe("Research");
});

it("names the categories in use", () => {
  expect(categoriesOf(all)).toEqual(["planning", "quality"]);
});
