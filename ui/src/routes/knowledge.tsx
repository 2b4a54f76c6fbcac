import { getRouteApi } from "@tanstack/react-router";
import { Deleted } from "@/features/knowledge/deleted";
import { Hub } from "@/features/knowledge/hub";
import { hubSearch } from "@/features/knowledge/search";

const route = getRouteApi("/frame/knowledge");

export default function KnowledgePage() {
  const search = hubSearch({ ...route.useSearch() });
  const navigate = route.useNavigate();
  if (search.deleted) return <Deleted />;
  return (
    <Hub search={search} go={(next) => void navigate({ search: next, replace: true, resetScroll: false })} />
  );
}
