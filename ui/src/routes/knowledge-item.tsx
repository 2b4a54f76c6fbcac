import { getRouteApi } from "@tanstack/react-router";
import { NotFound } from "@/app/route-states";
import { ItemView } from "@/features/knowledge/item";
import { itemSearch, kindOf } from "@/features/knowledge/search";

const route = getRouteApi("/frame/knowledge/$kind/$itemId");

export default function KnowledgeItemPage() {
  const { kind: plural, itemId } = route.useParams();
  const search = itemSearch({ ...route.useSearch() });
  const navigate = route.useNavigate();
  if (kindOf(plural) === undefined) return <NotFound />;
  return (
    <ItemView
      key={itemId}
      id={itemId}
      search={search}
      go={(next) => void navigate({ search: next, resetScroll: false })}
    />
  );
}
