import type { SystemListItem } from "@/api/types";
import { score } from "@/lib/search";

/** The systems that answer to all words of a text by name, description, category or tags, and are of a category if one is named. */
export function found(systems: readonly SystemListItem[], text: string, category: string): SystemListItem[] {
  return systems.filter(
    (system) =>
      (category === "" || system.category === category) &&
      (text.trim() === "" ||
        score(text, [system.name, system.description, system.category ?? "", ...system.tags].join(" ")) > 0),
  );
}

/** The categories in use, in alphabetical order. */
export const categoriesOf = (systems: readonly SystemListItem[]): string[] =>
  [...new Set(systems.map(({ category }) => category).filter((one) => one != null && one !== ""))]
    .map(String)
    .sort((a, b) => a.localeCompare(b));
