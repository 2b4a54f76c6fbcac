import { useQuery } from "@tanstack/react-query";
import { ShieldCheck, Users } from "lucide-react";
import { useState } from "react";
import { queries, useMay, useMe } from "@/api/queries";
import type { Member } from "@/api/types";
import { Empty, ErrorState } from "@/components/state";
import { Avatar } from "@/components/ui/avatar";
import { Badge } from "@/components/ui/badge";
import { Input } from "@/components/ui/input";
import { Skeleton } from "@/components/ui/skeleton";
import { words } from "@/features/security/strings";
import { cn } from "@/lib/cn";
import { Time } from "@/lib/time";
import { t } from "@/strings";
import { MemberActions } from "./member-actions";
import { membersFound } from "./rules";
import { team } from "./strings";

/** So many are seen at a glance. */
const FEW = 6;

/** Everyone with an account; admins can change them. */
export function Members() {
  // Somebody may have joined since another view asked.
  const members = useQuery({ ...queries.members(), staleTime: 0 });
  const me = useMe().data;
  const mayChange = useMay("administer");
  const [text, setText] = useState("");
  const withFactor = useQuery({ ...queries.memberFactors(), enabled: mayChange }).data;
  if (members.isPending || me === undefined)
    return (
      <div className="flex flex-col gap-2">
        <Skeleton className="h-15 rounded-lg" />
        <Skeleton className="h-15 rounded-lg" />
        <Skeleton className="h-15 rounded-lg" />
      </div>
    );
  if (members.isError) return <ErrorState error={members.error} onRetry={() => members.refetch()} />;
  if (members.data.length === 0) return <Empty icon={<Users />} title="Nobody is here yet" />;
  const found = membersFound(members.data, text);
  return (
    <>
      {members.data.length > FEW && (
        <div className="mb-3 flex flex-wrap items-center gap-3">
          <Input
            type="search"
            aria-label={team.find}
            placeholder={team.find}
            value={text}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setText(event.target.value)}
            className="max-w-80"
          />
          <p role="status" className="text-faint text-xs">
            {text.trim() !== "" && team.found(found.length, members.data.length)}
          </p>
        </div>
      )}
      <ul
        aria-label={team.members}
        className="divide-y divide-line rounded-xl border border-line bg-surface shadow-card empty:hidden"
      >
        {found.map((member) => (
          <Row
            key={member.id}
            member={member}
            me={me}
            members={members.data}
            mayChange={mayChange}
            hasFactor={withFactor?.includes(member.id) ?? false}
          />
        ))}
      </ul>
    </>
  );
}

function Row({
  member,
  me,
  members,
  mayChange,
  hasFactor,
}: {
  member: Member;
  me: Member;
  members: Member[];
  mayChange: boolean;
  hasFactor: boolean;
}) {
  const disabled = member.disabledAt !== null;
  return (
    <li className="flex items-center gap-3 py-3 pr-3 pl-4">
      <Avatar
        name={member.name}
        id={member.id}
        picture={member.avatar}
        size="lg"
        {...(disabled ? { className: "grayscale" } : {})}
      />
      <div className="min-w-0 flex-1">
        <p className="flex min-w-0 items-center gap-2 text-sm">
          <span className={cn("truncate font-medium", disabled && "text-muted")}>{member.name}</span>
          {member.id === me.id && <Badge tone="accent">{team.you}</Badge>}
          {hasFactor && (
            <Badge title={words.team.hasHelp}>
              <ShieldCheck aria-hidden className="size-3" /> {words.team.has}
            </Badge>
          )}
          {disabled && <Badge tone="red">{team.disabled}</Badge>}
        </p>
        <p className="truncate text-faint text-xs">{member.email}</p>
      </div>
      <div className="shrink-0 text-right text-xs">
        <p className="font-medium" title={t.role[member.role].may}>
          {t.role[member.role].label}
        </p>
        <p className="text-faint">
          {member.lastLoginAt ? (
            <>
              <span className="max-sm:sr-only">{team.signedIn} </span>
              <Time at={member.lastLoginAt} />
            </>
          ) : (
            <>
              {team.joined} <Time at={member.createdAt} />
            </>
          )}
        </p>
      </div>
      {mayChange && <MemberActions me={me} member={member} members={members} hasFactor={hasFactor} />}
    </li>
  );
}
