import { useQueryClient } from "@tanstack/react-query";
import { Crown, Ellipsis, KeyRound, LogOut, ShieldCheck, ShieldOff, UserCheck, UserX } from "lucide-react";
import { useState } from "react";
import { api } from "@/api/calls";
import { asApiError } from "@/api/error";
import { keys } from "@/api/keys";
import type { Member } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/dialog";
import { Menu, MenuItem, MenuLabel, MenuSeparator } from "@/components/ui/menu";
import { toast } from "@/components/ui/toast";
import { words } from "@/features/security/strings";
import { ResetLinkDialog } from "./reset-link";
import { RoleDialog } from "./role-dialog";
import { whyNotManage } from "./rules";
import { team } from "./strings";

type Deed = "role" | "signOut" | "reset" | "factors" | "handOver" | "disable" | "enable";

/** What an admin can do with a member. What may not be done is not offered, with the reason in its place. */
export function MemberActions({
  me,
  member,
  members,
  hasFactor,
}: {
  me: Member;
  member: Member;
  members: Member[];
  hasFactor: boolean;
}) {
  const client = useQueryClient();
  const [deed, setDeed] = useState<Deed | null>(null);
  const self = me.id === member.id;
  const disabled = member.disabledAt !== null;
  const refusal = whyNotManage(me, member);
  const window = (which: Deed) => ({
    open: deed === which,
    onOpenChange: (open: boolean) => setDeed(open ? which : null),
  });
  /** Does it, says that it is done, and fetches the members anew; a refusal is told and goes on. */
  const doing = (work: () => Promise<unknown>, done?: string) => async () => {
    try {
      await work();
      if (done !== undefined) toast.done(done);
    } catch (cause) {
      toast.error(undefined, asApiError(cause));
      throw cause;
    } finally {
      void client.invalidateQueries({ queryKey: keys.members });
    }
  };

  return (
    <>
      <Menu
        align="end"
        trigger={
          <Button variant="ghost" size="icon-sm" aria-label={team.more(member.name)}>
            <Ellipsis />
          </Button>
        }
      >
        {refusal === null ? (
          <>
            <MenuItem icon={<ShieldCheck />} onClick={() => setDeed("role")}>
              {team.menu.role}
            </MenuItem>
            {!self && !disabled && (
              <>
                <MenuItem icon={<KeyRound />} onClick={() => setDeed("reset")}>
                  {team.menu.reset}
                </MenuItem>
                {hasFactor && (
                  <MenuItem icon={<ShieldOff />} onClick={() => setDeed("factors")}>
                    {words.team.menu}
                  </MenuItem>
                )}
                <MenuItem icon={<LogOut />} onClick={() => setDeed("signOut")}>
                  {team.menu.signOut}
                </MenuItem>
                {me.role === "owner" && (
                  <MenuItem icon={<Crown />} onClick={() => setDeed("handOver")}>
                    {team.menu.handOver}
                  </MenuItem>
                )}
                <MenuSeparator />
                <MenuItem icon={<UserX />} danger onClick={() => setDeed("disable")}>
                  {team.menu.disable}
                </MenuItem>
              </>
            )}
            {disabled && (
              <MenuItem icon={<UserCheck />} onClick={() => setDeed("enable")}>
                {team.menu.enable}
              </MenuItem>
            )}
          </>
        ) : (
          <MenuLabel>{refusal}</MenuLabel>
        )}
      </Menu>
      <RoleDialog {...window("role")} me={me} member={member} members={members} />
      <ResetLinkDialog {...window("reset")} member={member} />
      <Confirm
        {...window("factors")}
        danger
        title={words.team.takeTitle(member.name)}
        confirm={words.team.take}
        onConfirm={doing(() => api.takeFactors(member.id), words.team.taken(member.name))}
      >
        {words.team.takeText}
      </Confirm>
      <Confirm
        {...window("signOut")}
        title={team.signOut.title(member.name)}
        confirm={team.signOut.confirm}
        onConfirm={doing(() => api.signOutMember(member.id), team.signOut.done(member.name))}
      >
        {team.signOut.text}
      </Confirm>
      <Confirm
        {...window("disable")}
        danger
        title={team.disable.title(member.name)}
        confirm={team.disable.confirm}
        onConfirm={doing(
          () => api.updateMember(member.id, { disabled: true }),
          team.disable.done(member.name),
        )}
      >
        {team.disable.text}
      </Confirm>
      <Confirm
        {...window("enable")}
        title={team.enable.title(member.name)}
        confirm={team.enable.confirm}
        onConfirm={doing(
          () => api.updateMember(member.id, { disabled: false }),
          team.enable.done(member.name),
        )}
      >
        {team.enable.text}
      </Confirm>
      <Confirm
        {...window("handOver")}
        danger
        title={team.handOver.title(member.name)}
        confirm={team.handOver.confirm}
        onConfirm={doing(async () => {
          await api.updateMember(member.id, { role: "owner" });
          try {
            await api.updateMember(me.id, { role: "admin" });
          } catch (cause) {
            toast.done(team.handOver.half(member.name));
            throw cause;
          }
        })}
      >
        <p>{team.handOver.text(member.name)}</p>
        <p>{team.handOver.after}</p>
      </Confirm>
    </>
  );
}
