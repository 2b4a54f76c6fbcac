import { useQuery } from "@tanstack/react-query";
import { GitMerge } from "lucide-react";
import { queries } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { Popover } from "@/components/ui/popover";
import { Skeleton } from "@/components/ui/skeleton";
import { shortId } from "@/lib/format";
import { Time } from "@/lib/time";
import { CopyButton } from "../live/TerminalBar";
import { s } from "../strings";

/** The commit that the work became, with what it says. */
export function Merged({ projectId, commit }: { projectId: string; commit: string }) {
  return (
    <Popover
      label={s.overview.merged}
      align="end"
      className="w-96"
      trigger={
        <Button size="sm">
          <GitMerge className="text-violet" />
          <span className="sr-only @sm:not-sr-only">{s.overview.merged}</span>
          <code className="text-xs">{shortId(commit)}</code>
        </Button>
      }
    >
      <Commit projectId={projectId} commit={commit} />
    </Popover>
  );
}

function Commit({ projectId, commit }: { projectId: string; commit: string }) {
  const commits = useQuery(queries.commits(projectId));
  const found = commits.data?.items.find((item) => item.id === commit);
  return (
    <div className="flex flex-col gap-2">
      {commits.isPending && <Skeleton className="h-10" />}
      {found && (
        <>
          <p className="font-medium [overflow-wrap:anywhere]">{found.subject}</p>
          {found.body !== "" && (
            <p className="max-h-60 overflow-y-auto whitespace-pre-wrap text-muted text-xs scroll-thin [overflow-wrap:anywhere]">
              {found.body}
            </p>
          )}
          <p className="text-faint text-xs">
            {found.authorName} · <Time at={found.at} />
            {commits.data && ` · ${commits.data.branch}`}
          </p>
        </>
      )}
      <p className="flex items-center justify-between gap-2 rounded-md bg-sunken py-1 pr-1 pl-2">
        <code className="truncate text-xs">{commit}</code>
        <CopyButton text={() => commit} label={s.header.copyCommit} />
      </p>
    </div>
  );
}
