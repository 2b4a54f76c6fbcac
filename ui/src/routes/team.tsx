import { Users } from "lucide-react";
import { useMembers } from "@/api/queries";
import type { MemberRole } from "@/api/types";
import { Page } from "@/components/page";
import { Empty, ErrorState } from "@/components/state";
import { Avatar } from "@/components/ui/avatar";
import { Badge } from "@/components/ui/badge";
import { Skeleton } from "@/components/ui/skeleton";
import { Time } from "@/lib/time";

const ROLES: Record<MemberRole, { label: string; may: string }> = {
  owner: { label: "Owner", may: "Everything, and owns this server" },
  admin: { label: "Admin", may: "Runs the team: members, settings, limits" },
  member: { label: "Member", may: "Plans, runs and merges features" },
  viewer: { label: "Viewer", may: "Looks" },
};

export default function TeamPage() {
  const members = useMembers();
  return (
    <Page title="Team" lead="Who has an account here." width="sm">
      {members.isPending ? (
        <div className="flex flex-col gap-2">
          <Skeleton className="h-16 rounded-lg" />
          <Skeleton className="h-16 rounded-lg" />
        </div>
      ) : members.isError ? (
        <ErrorState error={members.error} onRetry={() => members.refetch()} />
      ) : members.data.length === 0 ? (
        <Empty icon={<Users />} title="Nobody is here yet" />
      ) : (
        <ul className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card">
          {members.data.map((member) => (
            <li key={member.id} className="flex items-center gap-3 px-4 py-3">
              <Avatar name={member.name} id={member.id} size="lg" />
              <div className="min-w-0 flex-1">
                <p className="truncate font-medium text-sm">
                  {member.name}
                  {member.disabledAt && (
                    <Badge tone="red" className="ml-2">
                      Disabled
                    </Badge>
                  )}
                </p>
                <p className="truncate text-faint text-xs">{member.email}</p>
              </div>
              <div className="text-right text-xs">
                <p className="font-medium" title={ROLES[member.role].may}>
                  {ROLES[member.role].label}
                </p>
                <p className="text-faint">
                  {member.lastLoginAt ? (
                    <>
                      Signed in <Time at={member.lastLoginAt} />
                    </>
                  ) : (
                    "Never signed in"
                  )}
                </p>
              </div>
            </li>
          ))}
        </ul>
      )}
    </Page>
  );
}
