import { useQueries } from "@tanstack/react-query";
import { titleOf } from "./draft";
import { hubQueries } from "./queries";
import { words } from "./strings";

/** What items are called, also deleted ones, in place of their ids. */
export function useTitles(ids: readonly string[]): (id: string) => string {
  const each = [...new Set(ids)];
  const found = useQueries({ queries: each.map((id) => hubQueries.item(id)) });
  return (id) => {
    const query = found[each.indexOf(id)];
    const item = query?.data?.item;
    if (item === undefined) return query?.isError ? words.form.relatedGone : "…";
    return item.deletedAt === null ? titleOf(item) : words.form.relatedDeleted(titleOf(item));
  };
}
