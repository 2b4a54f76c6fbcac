import { useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { useFeature, useProjects } from "@/api/queries";
import type { ProjectListItem } from "@/api/types";
import { persistent } from "@/lib/persistent";

const last = persistent<string>("guildhall.project", "");

/** The project that is meant where none is named: that of what is shown, else the one that was shown last, else any. */
export function useCurrentProject(): ProjectListItem | undefined {
  const { projectId, featureId } = useParams({ strict: false });
  const shown = useFeature(featureId ?? "", featureId !== undefined).data?.projectId;
  const projects = useProjects().data;
  const here = projectId ?? shown;
  useEffect(() => {
    if (here !== undefined) last.set(here);
  }, [here]);
  const before = last.use();
  const ready = projects?.filter((project) => project.status === "ready");
  return ready?.find((one) => one.id === here) ?? ready?.find((one) => one.id === before) ?? ready?.[0];
}
