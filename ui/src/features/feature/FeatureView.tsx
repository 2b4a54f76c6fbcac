import { isLost } from "@/api/error";
import { useFeature } from "@/api/queries";
import { loadMarkdown } from "@/components/markdown";
import { ErrorState } from "@/components/state";
import { Skeleton } from "@/components/ui/skeleton";
import { Loaded } from "./Loaded";
import "./feature.css";

// Needed as soon as anything is shown; fetched beside the data, not after it.
void loadMarkdown();

/** A feature, at the side of the board or as a page of its own. Fills the height that it is given. */
export function FeatureView({ featureId, layout }: { featureId: string; layout: "side" | "page" }) {
  return <View key={featureId} featureId={featureId} layout={layout} />;
}

function View({ featureId, layout }: { featureId: string; layout: "side" | "page" }) {
  const feature = useFeature(featureId);
  if (feature.isPending) return <FeatureSkeleton />;
  if (isLost(feature)) return <ErrorState error={feature.error} onRetry={() => void feature.refetch()} />;
  return <Loaded feature={feature.data} layout={layout} />;
}

function FeatureSkeleton() {
  return (
    <div role="status" className="flex h-full flex-col">
      <div className="flex flex-col gap-2 px-4 pt-3 pb-2">
        <div className="flex h-7 items-center gap-2">
          <Skeleton className="h-4 w-8" />
          <Skeleton className="h-5 w-24 rounded-full" />
          <span className="flex-1" />
          <Skeleton className="h-7 w-20" />
        </div>
        <Skeleton className="h-6 w-3/4" />
        <Skeleton className="h-5 w-1/2" />
      </div>
      <div className="h-9 border-line border-b" />
    </div>
  );
}
