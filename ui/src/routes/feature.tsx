import { Link, Navigate, useParams } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { useFeature, useProject } from "@/api/queries";
import { FeaturePanel } from "@/features/feature-panel";
import { useTitle } from "@/lib/title";

export default function FeaturePage() {
  const { featureId } = useParams({ from: "/frame/f/$featureId" });
  const feature = useFeature(featureId).data;
  useTitle(feature && (feature.kind === "card" ? `#${feature.number} ${feature.title}` : feature.title));
  if (feature?.kind === "chat") return <Navigate to="/chat/$chatId" params={{ chatId: featureId }} replace />;
  return (
    <main id="content" tabIndex={-1} className="flex h-full flex-col outline-none">
      <div className="flex h-11 shrink-0 items-center border-line border-b px-4 text-sm">
        {feature && <BoardLink projectId={feature.projectId} />}
      </div>
      <div className="min-h-0 flex-1 overflow-hidden">
        <FeaturePanel featureId={featureId} layout="page" />
      </div>
    </main>
  );
}

function BoardLink({ projectId }: { projectId: string }) {
  const project = useProject(projectId).data;
  return (
    <Link
      to="/p/$projectId"
      params={{ projectId }}
      className="inline-flex min-w-0 items-center gap-1.5 rounded text-muted hover:text-ink"
    >
      <ArrowLeft aria-hidden className="size-4 shrink-0" />
      <span dir="auto" className="truncate">
        {project?.name ?? "Board"}
      </span>
    </Link>
  );
}
