import { useParams } from "@tanstack/react-router";
import { Board } from "@/features/board/board";

export default function BoardPage() {
  const { projectId } = useParams({ from: "/frame/p/$projectId" });
  return <Board key={projectId} projectId={projectId} />;
}
