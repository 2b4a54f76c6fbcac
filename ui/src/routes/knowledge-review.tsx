import { getRouteApi } from "@tanstack/react-router";
import { Review } from "@/features/knowledge/review";

const route = getRouteApi("/frame/knowledge/review");

export default function KnowledgeReviewPage() {
  const { item } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Review
      first={item}
      onShow={(id) => void navigate({ search: id === undefined ? {} : { item: id }, replace: true })}
    />
  );
}
