import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { Download, Lock, ScrollText } from "lucide-react";
import { useMemo } from "react";
import { api } from "@/api/calls";
import { queries, useMay, useMembers, useProjects } from "@/api/queries";
import { Page } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/skeleton";
import { Entry } from "@/features/audit/entry";
import { Filters } from "@/features/audit/filters";
import { type AuditSearch, filterOf } from "@/features/audit/search";
import { audit } from "@/features/audit/strings";
import { count } from "@/lib/format";

/** Who did what. For admins. */
export default function AuditPage() {
  const may = useMay("administer");
  const search = useSearch({ from: "/frame/audit" });
  const navigate = useNavigate();
  if (!may)
    return (
      <Page title={audit.title}>
        <Empty icon={<Lock />} title={audit.forbiddenTitle}>
          {audit.forbidden}
        </Empty>
      </Page>
    );
  return (
    <Page
      title={audit.title}
      lead={audit.lead}
      width="lg"
      actions={
        <Button render={<a href={api.auditExportUrl(filterOf(search))} download />}>
          <Download /> {audit.export}
        </Button>
      }
    >
      <Filters
        search={search}
        onChange={(next) => void navigate({ to: "/audit", search: next, replace: true })}
      />
      <Entries search={search} />
    </Page>
  );
}

function Entries({ search }: { search: AuditSearch }) {
  const list = useInfiniteQuery(queries.audit(filterOf(search)));
  const members = useMembers().data;
  const projects = useProjects().data;
  const names = useMemo(
    () => ({
      members: new Map(members?.map((member) => [member.id, member])),
      projects: new Map(projects?.map((project) => [project.id, project.name])),
    }),
    [members, projects],
  );
  if (list.isPending)
    return (
      <div className="flex flex-col gap-1.5">
        {["a", "b", "c", "d", "e", "f", "g", "h"].map((key) => (
          <Skeleton key={key} className="h-9 rounded-md" />
        ))}
      </div>
    );
  if (list.isError) return <ErrorState error={list.error} onRetry={() => list.refetch()} />;
  const entries = list.data.pages.flatMap((page) => page.items);
  if (entries.length === 0)
    return Object.keys(search).length === 0 ? (
      <Empty icon={<ScrollText />} title={audit.none}>
        {audit.noneHelp}
      </Empty>
    ) : (
      <Empty icon={<ScrollText />} title={audit.noneFound}>
        {audit.noneFoundHelp}
      </Empty>
    );
  return (
    <>
      <ul
        aria-label={audit.title}
        className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card"
      >
        {entries.map((entry) => (
          <Entry key={entry.seq} entry={entry} {...names} />
        ))}
      </ul>
      <div className="mt-4 flex flex-col items-center gap-2">
        <p role="status" className="text-faint text-xs">
          {audit.shown(count(entries.length))}
        </p>
        {list.hasNextPage && (
          <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {audit.more}
          </Button>
        )}
      </div>
    </>
  );
}
