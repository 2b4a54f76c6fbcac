import type { Feature, Run } from "@/api/types";
export function ChangesTab(_: {
  feature: Feature;
  run: Run | undefined;
  mayBuild: boolean;
  action: React.ReactNode;
}) {
  return null;
}
