import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/calls";
import { keys } from "@/api/keys";
import type { Diff } from "@/api/types";

/** The lines of a file as it is after the change; asked for only once it is wanted. */
export function useContent(featureId: string, diff: Diff, path: string, wanted: boolean) {
  return useQuery({
    queryKey: [...keys.diff(featureId), "file", diff.head, path],
    queryFn: async ({ signal }) => {
      const text = await api.file(featureId, path, "head", signal);
      const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
      if (lines.at(-1) === "") lines.pop();
      return lines;
    },
    enabled: wanted,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    retry: false,
  });
}
