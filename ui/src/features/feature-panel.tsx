import { useQueryClient } from "@tanstack/react-query";
import { Component, lazy, type ReactNode, Suspense } from "react";
import { keys } from "@/api/keys";
import { ErrorState } from "@/components/state";
import { Skeleton } from "@/components/ui/skeleton";

// Diff, terminal and their kin are heavy: they come with the first feature that is opened.
export const loadFeature = () => import("@/features/feature/FeatureView");
const FeatureView = lazy(() => loadFeature().then((module) => ({ default: module.FeatureView })));

/** A feature with what stands for it until it is here, and when it breaks. */
export function FeaturePanel({ featureId, layout }: { featureId: string; layout: "side" | "page" }) {
  const client = useQueryClient();
  return (
    <Boundary
      key={featureId}
      onRetry={() => void client.invalidateQueries({ queryKey: keys.feature(featureId) })}
    >
      <Suspense fallback={<FeatureSkeleton />}>
        <FeatureView featureId={featureId} layout={layout} />
      </Suspense>
    </Boundary>
  );
}

function FeatureSkeleton() {
  return (
    <div className="flex flex-col gap-3 p-5" aria-hidden>
      <Skeleton className="h-7 w-2/3" />
      <Skeleton className="h-5 w-1/3" />
      <Skeleton className="mt-4 h-64" />
    </div>
  );
}

/** A feature that cannot be shown leaves the board beside it standing. */
class Boundary extends Component<{ onRetry: () => void; children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return (
      <ErrorState
        error={this.state.error}
        onRetry={() => {
          this.props.onRetry();
          this.setState({ error: null });
        }}
      />
    );
  }
}
